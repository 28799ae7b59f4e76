// Pages opened from a disk may not start workers: the search of the documentation then runs in a hidden frame instead.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(url) {
      super();
      this.onmessage = null;
      const frame = document.createElement("iframe");
      frame.hidden = true;
      document.body.append(frame);
      this.inside = frame.contentWindow;
      const own = this.inside;
      window.IFrameWorker = true; // the theme then looks for its parts beside the script and not beside the page
      own.postMessage = (data) => {
        const said = new MessageEvent("message", { data });
        this.dispatchEvent(said);
        if (this.onmessage) this.onmessage(said);
      };
      own.importScripts = (...urls) =>
        urls.reduce(
          (before, one) =>
            before.then(
              () =>
                new Promise((done, failed) => {
                  const script = own.document.createElement("script");
                  script.src = one;
                  script.onload = () => done();
                  script.onerror = failed;
                  own.document.body.append(script);
                }),
            ),
          Promise.resolve(),
        );
      this.ready = new Promise((done) => {
        const script = own.document.createElement("script");
        script.src = url;
        script.onload = () => done();
        own.document.body.append(script);
      });
    }

    postMessage(data) {
      this.ready.then(() => this.inside.dispatchEvent(new this.inside.MessageEvent("message", { data })));
    }

    terminate() {}
  };
}
