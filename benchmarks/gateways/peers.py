"""The servers beside which ours is measured, in an environment of their own that is never imported into ours.

LiteLLM's proxy, in the fastest configuration that its documentation offers without a database: one worker, no
callbacks, no retries, its price table from its own package. And RouteLLM's server path, plainly written anew
(`benchmarks.gateways.routellm_path`).
"""

import subprocess
import sys
from pathlib import Path

import yaml

from benchmarks.gateways.servers import Start, free_port

LITELLM = "1.108.7"
PACKAGES = (f"litellm[proxy]=={LITELLM}", "fastapi", "uvicorn", "uvloop", "httptools", "numpy", "openai")
LITELLM_KEY = "sk-" + "b3nchmark" * 6
"""It refuses to start without a key; requests that carry it are looked up in no database."""
LITELLM_ENVIRONMENT = {"LITELLM_LOCAL_MODEL_COST_MAP": "True", "LITELLM_LOG": "ERROR", "LITELLM_MODE": "PRODUCTION"}


def build(folder: Path) -> Path:
    """The peers' interpreter; its environment is made in `folder` the first time, by pip from its usual index."""
    python = folder / "env" / "bin" / "python"
    if not python.exists():
        subprocess.run([sys.executable, "-m", "venv", str(folder / "env")], check=True)
    has = subprocess.run([str(python), "-c", VERSION], capture_output=True, text=True, check=False)
    if has.stdout.strip() != LITELLM:
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    return python


VERSION = "import importlib.metadata; print(importlib.metadata.version('litellm'))"


def litellm_proxy(python: Path, folder: Path, upstream: str, cpus: frozenset[int] | None) -> Start:
    """LiteLLM's proxy before one endpoint, with two models, whose names its price table knows: others cost it more."""
    models = [
        {
            "model_name": name,
            "litellm_params": {"model": f"openai/{known}", "api_base": f"{upstream}/v1", "api_key": "none"},
        }
        for name, known in (("weak-model", "gpt-4o-mini"), ("strong-model", "gpt-4o"))
    ]
    settings = {
        "model_list": models,
        "router_settings": {"num_retries": 0},
        "litellm_settings": {"set_verbose": False, "telemetry": False, "request_timeout": 60},
        "general_settings": {"disable_spend_logs": True, "master_key": LITELLM_KEY},
    }
    path = folder / "litellm.yaml"
    path.write_text(yaml.safe_dump(settings))
    port = free_port()
    command = [str(python.with_name("litellm")), "--config", str(path), "--host", "127.0.0.1"]
    command += ["--port", str(port), "--num_workers", "1"]
    return Start("litellm", command, port, "/health/liveliness", LITELLM_ENVIRONMENT, folder, cpus)


def routellm_path(
    python: Path, folder: Path, upstream: str, cpus: frozenset[int] | None, *, embedding_ms: int = 0
) -> Start:
    """RouteLLM's path before one endpoint, whose embeddings take so long."""
    port = free_port()
    environment = {
        **LITELLM_ENVIRONMENT,
        "UPSTREAM_URL": f"{upstream}/v1",
        "EMBEDDINGS_URL": f"{upstream}/after/{embedding_ms}/v1" if embedding_ms else f"{upstream}/v1",
    }
    command = [str(python), "-m", "benchmarks.gateways.routellm_path", "--port", str(port)]
    name = f"routellm_path_{embedding_ms}ms" if embedding_ms else "routellm_path"
    return Start(name, command, port, "/health", environment, folder, cpus)
