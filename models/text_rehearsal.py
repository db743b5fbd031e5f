"""What fine-tuning a text network would take: the network is built and one pass is timed, nothing is trained."""

from models.networks.building import build_network, tokenizer_json
from models.networks.reading import TextReader, plain_tokenizer
from models.networks.spec import NetworkSpec
from models.text_training import TextLabels, TextTraining, dev_rows, examples_of
from models.training.estimate import Estimate, estimate


def rehearse(spec: NetworkSpec, labels: TextLabels, training: TextTraining) -> Estimate:
    """Rows, tokens, steps, parameters, memory and time of `fine_tune` with these arguments.

    Raises:
        NotEnoughLabels: there are too few groups to set dev rows aside.
        SettingsError, BundleError, MissingExtra: as `fine_tune`.
    """
    reader = TextReader(plain_tokenizer(tokenizer_json(spec, {})), spec.frame)
    is_dev = dev_rows(labels.groups, share=training.dev_share, seed=training.recipe.seed)
    rows, dev = (examples_of(reader, labels.rows(chosen)) for chosen in (~is_dev, is_dev))
    network = build_network({"spec": spec.model_dump(mode="json")})
    return estimate(network, rows, dev, training.recipe, n_truncated=reader.n_truncated)
