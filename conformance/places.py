"""Where things are, and what must be installed. The peers are those of `fixtures/record`, in its environment."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
RECORD = ROOT / "fixtures/record"
FIXTURES = ROOT / "fixtures/conformance"
sys.path.insert(0, str(RECORD))
from harness import ENV, PEERS, PYTHON, Failed, Peer  # noqa: E402, F401

PYTHON27 = Path(os.environ.get("PYTHON27", Path.home() / ".pyenv/versions/2.7.18/bin/python"))
SUITE = ENV / "autobahn"
SERVERS = {
    "ws": ["--deflate", "{}", "--max-size", "67108864"],
    "websockets": ["--deflate", "default", "--max-size", "67108864"],
    "aiohttp": ["--max-size", "67108864"],
    "tornado": [],
    "starlette": [],
    "tungstenite": [],
}


def install(suite, chromium):
    """Puts the peers in place, and with `suite` Autobahn as well. Debian packages are only asked for."""
    wanted = ["tcpdump", "tshark", "node", "npm", "cargo"] + (["chromium"] if chromium else [])
    missing = [tool for tool in wanted if not shutil.which(tool)]
    if missing:
        raise SystemExit(f"missing: {' '.join(missing)} (Debian: tcpdump tshark nodejs npm chromium; Rust from rustup)")
    venv, npm = ENV / "venv", ENV / "npm"
    if not venv.exists():
        subprocess.run([sys.executable, "-m", "venv", venv], check=True)
        subprocess.run([venv / "bin/pip", "install", "-q", "-r", RECORD / "requirements.txt"], check=True)
    if not (npm / "node_modules").exists():
        npm.mkdir(parents=True, exist_ok=True)
        shutil.copy(PEERS / "package.json", npm)
        subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent"], cwd=npm, check=True)
    # Node looks for modules beside the program, so the programs go where the modules are.
    for program in [*PEERS.glob("*.mjs"), *(HERE / "peers").glob("*.mjs")]:
        shutil.copy(program, npm)
    manifest = PEERS / "tungstenite/Cargo.toml"
    build = ["cargo", "build", "--quiet", "--locked", "--manifest-path", manifest, "--target-dir", ENV / "target"]
    subprocess.run(build, check=True, env={k: v for k, v in os.environ.items() if k != "CARGO_TARGET_DIR"})
    if suite and not (SUITE / "autobahntestsuite").exists():
        if not PYTHON27.exists():
            raise SystemExit(f"Autobahn needs Python 2.7, and {PYTHON27} is not there: pyenv install 2.7.18, or set PYTHON27")
        subprocess.run([PYTHON27, "-m", "pip", "install", "-q", "--target", SUITE, "autobahntestsuite==0.8.2"], check=True)
        # A namespace package that --target leaves without its file.
        (SUITE / "zope/__init__.py").touch()


def version(stack):
    """The program and its version, as in `origin.programs` of the recorded cases."""
    pins = dict(line.split("==") for line in (RECORD / "requirements.txt").read_text().split())
    if stack == "ws":
        return "ws " + json.loads((ENV / "npm/node_modules/ws/package.json").read_text())["version"]
    if stack == "chromium":
        said = subprocess.run(["chromium", "--version"], capture_output=True, text=True, check=True).stdout
        return " ".join(said.split()[:2])
    if stack == "tungstenite":
        lock = (PEERS / "tungstenite/Cargo.lock").read_text()
        return "tokio-tungstenite " + lock.split('name = "tokio-tungstenite"\nversion = "')[1].split('"')[0]
    if stack == "starlette":
        return f"Starlette {pins['starlette']} on uvicorn {pins['uvicorn']}"
    name = {"tornado": "Tornado"}.get(stack, stack)
    return f"{name} {pins[stack]}"
