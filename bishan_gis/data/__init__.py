"""Knowledge as data: rules, classes, speeds, labels."""
