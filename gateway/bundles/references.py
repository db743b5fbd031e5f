"""Which bundles the settings let decide, and in what part: references by part. Opens none of them."""

from collections.abc import Mapping
from typing import NamedTuple

from core.gateway_settings import GatewaySettings

FROM_REGISTRY = "models:"


class References(NamedTuple):
    """References of bundles: `models:/NAME@ALIAS`, `models:/NAME/3`, or a folder."""

    champion: str
    """Decides whatever no other decides."""
    by_domain: Mapping[str, str] = {}
    """Decides the requests of a domain."""
    canary: str | None = None
    """Decides a share of the conversations that are the champion's otherwise."""
    canary_share: float = 0.0
    shadow: str | None = None
    """Scores every request and decides none."""

    @classmethod
    def of(cls, gateway: GatewaySettings, champion: str) -> "References":
        """Those of the settings; `champion` is `RunSettings.bundle_reference`, or what a command named in its place."""
        canary, share = (None, 0.0) if gateway.canary is None else (gateway.canary.bundle, gateway.canary.share)
        return cls(champion, dict(gateway.bundles), canary, share, gateway.shadow)

    @property
    def deciding(self) -> tuple[str, ...]:
        """Each that may decide, once; the champion's first.

        >>> References("a", {"law": "b", "tax": "a"}, shadow="c").deciding
        ('a', 'b')
        """
        return tuple(dict.fromkeys(one for one in (self.champion, *self.by_domain.values(), self.canary) if one))

    @property
    def all(self) -> tuple[str, ...]:
        """Each once, the shadow's last.

        >>> References("a", {"law": "b"}, shadow="c").all
        ('a', 'b', 'c')
        """
        return tuple(dict.fromkeys((*self.deciding, *((self.shadow,) if self.shadow else ()))))

    @property
    def watched(self) -> tuple[str, ...]:
        """Those of the registry, which `gateway.bundles.watching` follows.

        >>> References("models:/coding@champion", {"law": "bundles/law"}).watched
        ('models:/coding@champion',)
        """
        return tuple(one for one in self.all if one.startswith(FROM_REGISTRY))

    def parts_of(self, reference: str) -> tuple[str, ...]:
        """What a reference plays: `champion`, `domain NAME`, `canary`, `shadow`.

        >>> References("a", {"law": "a"}, canary="b", canary_share=0.1).parts_of("a")
        ('champion', 'domain law')
        """
        named = {"champion": self.champion, **{f"domain {name}": one for name, one in self.by_domain.items()}}
        named |= {part: one for part, one in (("canary", self.canary), ("shadow", self.shadow)) if one is not None}
        return tuple(part for part, one in named.items() if one == reference)
