import pytest

from core.errors import SettingsError
from gateway.program.providers import PROVIDERS, Access, endpoint_of_model


@pytest.fixture(autouse=True)
def bare(monkeypatch):
    """No provider's variable is set."""
    for provider in PROVIDERS.values():
        for name in (*provider.key_envs, *provider.url_envs):
            monkeypatch.delenv(name, raising=False)


@pytest.mark.parametrize(
    ("model", "name", "base_url"),
    [
        ("openai/gpt-4o", "gpt-4o", "https://api.openai.com/v1"),
        ("gpt-4o-mini", "gpt-4o-mini", "https://api.openai.com/v1"),
        ("o3-mini", "o3-mini", "https://api.openai.com/v1"),
        ("claude-sonnet-4", "claude-sonnet-4", "https://api.anthropic.com/v1"),
        ("gemini/gemini-2.5-flash", "gemini-2.5-flash", "https://generativelanguage.googleapis.com/v1beta/openai"),
        ("groq/llama-3.1-8b-instant", "llama-3.1-8b-instant", "https://api.groq.com/openai/v1"),
        ("openrouter/meta-llama/llama-3-8b", "meta-llama/llama-3-8b", "https://openrouter.ai/api/v1"),
        ("ollama_chat/llama3", "llama3", "http://localhost:11434/v1"),
    ],
)
def test_a_prefix_or_a_family_of_names_says_where_a_model_answers(model, name, base_url):
    endpoint = endpoint_of_model(model, Access())

    assert (endpoint.name, endpoint.base_url) == (name, base_url)


@pytest.mark.parametrize(
    ("model", "name"),
    [
        ("openai/gpt-oss-20b", "gpt-oss-20b"),
        ("hosted_vllm/openai/gpt-oss-20b", "openai/gpt-oss-20b"),
        ("meta-llama/Llama-3.1-8B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"),
        ("anyscale/mistralai/Mixtral-8x7B-Instruct-v0.1", "mistralai/Mixtral-8x7B-Instruct-v0.1"),
        ("llama3", "llama3"),
    ],
)
def test_a_base_url_of_its_own_goes_before_the_providers(model, name):
    endpoint = endpoint_of_model(model, Access("http://127.0.0.1:8000/v1"))

    assert (endpoint.name, endpoint.base_url) == (name, "http://127.0.0.1:8000/v1")


@pytest.mark.parametrize("model", ["llama3", "azure/gpt-4o", "bedrock/claude", "hosted_vllm/llama3", "openai/", ""])
def test_a_model_of_nowhere_is_one_error_that_says_what_to_write(model):
    with pytest.raises(SettingsError, match=r"not known where the model.*openai/, anthropic/.*api_base"):
        endpoint_of_model(model, Access())


def test_the_providers_key_comes_from_its_variable_or_the_error_names_it(monkeypatch):
    with pytest.raises(SettingsError, match="OPENAI_API_KEY"):
        endpoint_of_model("gpt-4o", Access()).headers()
    monkeypatch.setenv("GOOGLE_API_KEY", "from-google")
    monkeypatch.setenv("MY_KEY", "mine")

    assert endpoint_of_model("gemini/g", Access()).headers()["authorization"] == "Bearer from-google"
    assert endpoint_of_model("gemini/g", Access(api_key_env="MY_KEY")).headers()["authorization"] == "Bearer mine"
    assert endpoint_of_model("gemini/g", Access(api_key="given")).headers()["authorization"] == "Bearer given"
    assert "authorization" not in endpoint_of_model("ollama/llama3", Access()).headers()


def test_a_providers_key_is_not_sent_to_somebody_elses_address(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "secret")

    assert "authorization" not in endpoint_of_model("gpt-4o", Access("http://127.0.0.1:1/v1")).headers()
    assert (
        endpoint_of_model("gpt-4o", Access("https://api.openai.com/v1")).headers()["authorization"] == "Bearer secret"
    )
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    assert endpoint_of_model("gpt-4o", Access()).base_url == "http://127.0.0.1:1/v1"
    assert endpoint_of_model("gpt-4o", Access()).headers()["authorization"] == "Bearer secret"


def test_a_key_is_printed_as_stars():
    endpoint = endpoint_of_model("gpt-4o", Access(api_key="secret"))

    assert "secret" not in repr(endpoint) + str(endpoint.model_dump()) + endpoint.model_dump_json()
