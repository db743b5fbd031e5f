"""The family mf_encoder from settings and rows: adapts a factorization together with the encoder that it reads."""

from collections.abc import Callable, Mapping

from core.settings import RunSettings
from models.encoder_adaptation import DomainLabels, adapt_encoder
from models.encoder_rehearsal import EncoderEstimate, rehearse
from models.encoder_router import EncoderRouter
from models.encoder_training import EncoderRecipe
from models.encoders import EncoderSpec
from models.mf_router import MfRouter
from pipeline.labels import Labels
from pipeline.mf_fitting import joined


def with_encoder(
    base: MfRouter,
    rows: Labels,
    settings: RunSettings,
    *,
    progress: Callable[[str, int, int], None],
    curve: Callable[[str, int, Mapping[str, float]], None],
) -> EncoderRouter:
    """The base and its encoder, adapted on the rows. The base read vectors of the very weights that torch updates here.

    Args:
        base: fitted on vectors of the settings' encoder, whichever runtime made them.
        rows: of the target; they know both models of the pair.
        settings: pair, encoder, seed and threads.
        progress: told of epochs.
        curve: told of the held-out ranking after each.
    """
    recipe = _recipe(settings)

    def on_epoch(epoch: int, gain: float) -> None:
        progress("epochs of the encoder", epoch, recipe.max_epochs)
        curve("adapted", epoch, {"dev_ranking_gain": gain})

    pair, spec = (base.weak, base.strong), _spec(settings)
    update = adapt_encoder(_labels(rows, pair), joined(base, rows), pair, spec=spec, recipe=recipe, on_epoch=on_epoch)
    return EncoderRouter.of(update, n_threads=settings.threads)


def rehearsed_with_encoder(rows: Labels, settings: RunSettings) -> EncoderEstimate:
    """What `with_encoder` would take; trains nothing."""
    pair = settings.pair.weak.name, settings.pair.strong.name
    return rehearse(_labels(rows, pair), spec=_spec(settings), recipe=_recipe(settings))


def _recipe(settings: RunSettings) -> EncoderRecipe:
    return EncoderRecipe(seed=settings.training.seed, n_threads=settings.threads)


def _spec(settings: RunSettings) -> EncoderSpec:
    return EncoderSpec(name=settings.encoder.name, runtime="torch", max_tokens=settings.encoder.max_tokens)


def _labels(rows: Labels, pair: tuple[str, str]) -> DomainLabels:
    return DomainLabels(rows.texts, rows.gap(*pair), rows.groups, rows.weights)
