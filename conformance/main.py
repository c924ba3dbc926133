"""Records conformance traffic, measures wsdissect and tshark on it, and packs the small part that is kept as fixtures."""

import argparse
import sys
import traceback
from pathlib import Path

import fuzzing
import measure
import own
import pack
import places

parser = argparse.ArgumentParser(prog="conformance/run", description=__doc__)
parser.add_argument("what", choices=["record", "measure", "pack", "list"])
parser.add_argument("runs", nargs="*", help="names of runs; without any, all")
parser.add_argument("--work", type=Path, default=places.ENV / "conformance", help="where the recordings are (a few hundred MB)")
parser.add_argument("--fixtures", action="store_true", help="measure: on the fixtures instead of the recordings, writing nothing")
parser.add_argument("--no-docs", action="store_true", help="measure: do not write docs/conformance.md")
options = parser.parse_intermixed_args()

ALL = {**{name: fuzzing for name in fuzzing.RUNS}, **{name: own for name in own.RUNS}}
unknown = [name for name in options.runs if name not in ALL]
if unknown:
    parser.error(f"no such run: {', '.join(unknown)}; see: conformance/run list")
names = options.runs or list(ALL)

match options.what:
    case "list":
        print("\n".join(ALL))
    case "record":
        places.install(any(ALL[name] is fuzzing for name in names), any("chromium" in name for name in names))
        failed = []
        for name in names:
            print(name, flush=True)
            try:
                ALL[name].record(name, options.work)
            except Exception:
                traceback.print_exc()
                failed.append(name)
        sys.exit(f"failed: {' '.join(failed)}" if failed else 0)
    case "measure":
        truth = lambda name, work: ALL[name].truth(name, work)
        measure.main(truth, options.work, names, options.fixtures, writes=not (options.no_docs or options.fixtures or options.runs))
    case "pack":
        pack.main(lambda name: ALL[name].truth(name, options.work), options.work, names)
