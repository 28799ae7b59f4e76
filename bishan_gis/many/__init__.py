"""Many districts at once: studies as tasks on Dask, and parts of a region that equal the whole.

- :func:`run_many` runs many studies, each a task, and writes a report over all of them.
- :func:`partition_region` cuts a region into districts on disk; :func:`read_part` reads one with its halo;
  :func:`run_parts` measures all of them, each district as a task.
- :func:`halo_m` says how wide a halo must be.

Tasks run in processes of this machine by default, on a cluster of ``dask worker`` processes where its address is given,
or in this process. The result is the same, to the last byte.
"""

from __future__ import annotations

from bishan_gis.many.halo import halo_m, top_speed_ms
from bishan_gis.many.parts import part_measures, run_parts
from bishan_gis.many.region import Part, partition_region, read_part
from bishan_gis.many.studies import ManyRun, find_studies, run_many
from bishan_gis.many.tasks import Outcome, run_tasks

__all__ = [
    "ManyRun",
    "Outcome",
    "Part",
    "find_studies",
    "halo_m",
    "part_measures",
    "partition_region",
    "read_part",
    "run_many",
    "run_parts",
    "run_tasks",
    "top_speed_ms",
]
