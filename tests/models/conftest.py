from tests.models.mf_bundle import folder  # noqa: F401 - a fixture of the bundle tests
