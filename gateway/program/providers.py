"""Where a model named as `provider/model` answers, and which environment variable holds its key. Asks nobody.

Only providers whose endpoints speak OpenAI's chat completions are listed. The prefix is taken off, and what is left is
the model's name, for the endpoint as for the bundle. With a base URL of its own, a model of any name works.
"""

import os
from collections.abc import Mapping
from typing import NamedTuple

from pydantic import SecretStr

from core.errors import SettingsError
from gateway.asking.address import Endpoint


class Provider(NamedTuple):
    """A provider's address, and the variables that may hold its key, the first one that is set; None: needs a URL."""

    base_url: str | None
    key_envs: tuple[str, ...] = ()
    url_envs: tuple[str, ...] = ()
    """Variables that may name another address, as the provider's own library reads them."""


PROVIDERS: Mapping[str, Provider] = {
    "openai": Provider("https://api.openai.com/v1", ("OPENAI_API_KEY",), ("OPENAI_BASE_URL", "OPENAI_API_BASE")),
    "anthropic": Provider("https://api.anthropic.com/v1", ("ANTHROPIC_API_KEY",)),
    "gemini": Provider("https://generativelanguage.googleapis.com/v1beta/openai", ("GEMINI_API_KEY", "GOOGLE_API_KEY")),
    "mistral": Provider("https://api.mistral.ai/v1", ("MISTRAL_API_KEY",)),
    "deepseek": Provider("https://api.deepseek.com/v1", ("DEEPSEEK_API_KEY",)),
    "groq": Provider("https://api.groq.com/openai/v1", ("GROQ_API_KEY",)),
    "xai": Provider("https://api.x.ai/v1", ("XAI_API_KEY",)),
    "openrouter": Provider("https://openrouter.ai/api/v1", ("OPENROUTER_API_KEY",)),
    "together_ai": Provider("https://api.together.xyz/v1", ("TOGETHERAI_API_KEY", "TOGETHER_API_KEY")),
    "fireworks_ai": Provider("https://api.fireworks.ai/inference/v1", ("FIREWORKS_API_KEY", "FIREWORKS_AI_API_KEY")),
    "ollama": Provider("http://localhost:11434/v1"),
    "ollama_chat": Provider("http://localhost:11434/v1"),
    "lm_studio": Provider("http://localhost:1234/v1"),
    "hosted_vllm": Provider(None, ("HOSTED_VLLM_API_KEY",), ("HOSTED_VLLM_API_BASE",)),
    "anyscale": Provider(None, ("ANYSCALE_API_KEY",)),
    "custom_openai": Provider(None),
}
"""By the prefix that stands before the model's name."""

_FAMILIES = {
    "openai": ("gpt-", "chatgpt-", "o1", "o3", "o4"),
    "anthropic": ("claude-",),
    "gemini": ("gemini-",),
}
"""How the names of a provider's own models begin, for names without a prefix."""


class KeyedEndpoint(Endpoint):
    """An endpoint whose key was handed over by the program, and stands in no environment variable."""

    api_key: SecretStr | None = None

    def headers(self) -> dict[str, str]:
        """What goes with each request.

        Raises:
            SettingsError: the key, or the variable that should hold it, is none.
        """
        if self.api_key is None:
            return super().headers()
        key = self.api_key.get_secret_value()
        if not (key and key.isascii() and key.isprintable()):
            raise SettingsError(
                f"The key of model '{self.name}' is empty, or holds a character that no key has. "
                "Hand over the key alone."
            )
        headers = self.model_copy(update={"api_key": None, "api_key_env": None}).headers()
        return {**headers, "authorization": f"Bearer {key}"}


class Access(NamedTuple):
    """What the program says of where a model answers; None: it says nothing."""

    base_url: str | None = None
    api_key: str | None = None
    api_key_env: str | None = None


def endpoint_of_model(model: str, access: Access, *, timeout_s: float = 60.0) -> KeyedEndpoint:
    """The endpoint of a model.

    | the name | base URL | answers at |
    |---|---|---|
    | `groq/llama-3.1-8b` | none | Groq's address; `llama-3.1-8b` is asked |
    | `groq/llama-3.1-8b` | given | there; `llama-3.1-8b` is asked |
    | `meta-llama/Llama-3.1-8B` | given | there; the whole name is asked, as `meta-llama` is no provider |
    | `gpt-4o`, `claude-...`, `gemini-...` | none | OpenAI, Anthropic, Gemini |
    | any other | none | nowhere: an error |

    Raises:
        SettingsError: it is not known where the model answers, or its key is not in the environment.

    >>> endpoint_of_model("ollama/llama3", Access()).base_url
    'http://localhost:11434/v1'
    >>> endpoint_of_model("meta-llama/Llama-3.1-8B", Access("http://127.0.0.1:8000/v1")).name
    'meta-llama/Llama-3.1-8B'
    """
    prefix, has_prefix, rest = model.partition("/")
    if has_prefix and rest and prefix in PROVIDERS:
        found, name = PROVIDERS[prefix], rest
    else:
        families = (one for one, starts in _FAMILIES.items() if model.startswith(starts))
        found, name = PROVIDERS[next(families, "custom_openai")], model
    base_url = access.base_url or _first_set(found.url_envs) or found.base_url
    if base_url is None:
        raise SettingsError(
            f"It is not known where the model '{model}' answers. Write its provider before its name "
            f"({', '.join(f'{one}/' for one, provider in PROVIDERS.items() if provider.base_url)}), or name its "
            "endpoint in weak_base_url, strong_base_url or api_base; a LiteLLM proxy is one for all others."
        )
    return KeyedEndpoint(
        name=name,
        base_url=base_url,
        api_key=None if access.api_key is None else SecretStr(access.api_key),
        api_key_env=None if access.api_key is not None else _key_env(found, access),
        timeout_s=timeout_s,
    )


def _key_env(provider: Provider, access: Access) -> str | None:
    """The variable that holds the key; None where the endpoint is asked without one."""
    if access.api_key_env is not None:
        return access.api_key_env
    own = (provider.base_url, *(os.environ.get(name) for name in provider.url_envs))
    if access.base_url is not None and access.base_url not in own:
        return None  # a provider's key is not sent to somebody else's address
    is_set = next((name for name in provider.key_envs if os.environ.get(name)), None)
    return is_set or (provider.key_envs[0] if provider.key_envs and provider.base_url is not None else None)


def _first_set(names: tuple[str, ...]) -> str | None:
    return next((value for name in names if (value := os.environ.get(name))), None)
