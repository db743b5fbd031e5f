"""The versions screen: frozen datasets with their signatures, what a freeze would hold now, and freezing.

Only a lead gets here. Texts of queries and answers never stand on these pages.
"""

from typing import Annotated, Any

import sqlalchemy as sa
from fastapi import Depends, Form, Request, Response
from fastapi.responses import RedirectResponse

from core.access import Act, Actor
from core.errors import AccessDenied, LedgerError, PreceptorError
from core.signatures import Signature, manifestation
from labeling.frozen.comparing import difference
from labeling.frozen.dataset import About
from labeling.frozen.dataset_files import counts
from labeling.frozen.datasheet import datasheet
from labeling.frozen.freezing import ATTESTATION, FreezeTerms, freeze
from labeling.frozen.preview import findings
from labeling.frozen.standing import standing_now
from labeling.frozen.versions import all_versions, check_signature, open_version, signature_of, version_row
from labeling.judging.rendering import render_markdown
from labeling.screens.room import Site


class FreezeForm:
    """The fields of the form; the password and the code are never shown again."""

    def __init__(
        self,
        name: Annotated[str, Form()] = "",
        intended_use: Annotated[str, Form()] = "",
        attested: Annotated[str, Form()] = "",
        sign_password: Annotated[str, Form()] = "",
        sign_code: Annotated[str, Form()] = "",
    ) -> None:
        self.name, self.intended_use, self.attested = name, intended_use, bool(attested)
        self.sign_password, self.sign_code = sign_password, sign_code


def add_versions_screen(site: Site) -> None:
    """Add `/versions`, `/versions/new` and `/versions/NAME@N`."""
    lead, sender = Depends(site.guard.may(Act.FREEZE)), Depends(site.guard.may_sending(Act.FREEZE))
    folder = site.settings.datasets_folder

    @site.app.get("/versions")
    def versions(request: Request, actor: Annotated[Actor, lead]) -> Response:
        with site.engine.connect() as connection:
            rows = all_versions(connection)
            signatures = {row.signature_id: signature_of(connection, row) for row in rows if row.signature_id}
        shown = [
            (row, manifestation(found) if (found := signatures.get(row.signature_id)) else "Not signed.")
            for row in rows
        ]
        return site.page(request, actor, "versions.html", versions=shown)

    @site.app.get("/versions/new")
    def new(request: Request, actor: Annotated[Actor, lead]) -> Response:
        return new_page(request, actor)

    @site.app.post("/versions/new")
    def freeze_now(
        request: Request,
        actor: Annotated[Actor, sender],
        form: Annotated[FreezeForm, Depends(FreezeForm)],
    ) -> Response:
        try:
            if not form.attested:
                raise PreceptorError("The attestation is not ticked. Tick it, or do not freeze.")
            method = site.guard.prove_again(request, form.sign_password, form.sign_code)
            terms = FreezeTerms(intended_use=form.intended_use.strip(), signing_method=method)
            dataset, is_new = freeze(
                site.engine, form.name.strip(), folder, by=actor.name, now=site.clock(), terms=terms
            )
        except AccessDenied as refused:
            return new_page(request, actor, fault=str(refused), form=form, status=403)
        except PreceptorError as error:
            return new_page(request, actor, fault=str(error), form=form, status=422)
        return RedirectResponse(f"/versions/{dataset.reference}?after={'new' if is_new else 'same'}", status_code=303)

    @site.app.get("/versions/{reference}")
    def version(request: Request, actor: Annotated[Actor, lead], reference: str, after: str = "") -> Response:
        with site.engine.connect() as connection:
            row = version_row(connection, reference)
            signature = signature_of(connection, row)
            fault = _signature_fault(connection, row)
        dataset = None if fault else open_version(site.engine, reference, folder)
        parent = (
            None if dataset is None or dataset.parent is None else open_version(site.engine, dataset.parent, folder)
        )
        return site.page(
            request,
            actor,
            "version.html",
            row=row,
            reference=reference,
            shown=_shown(signature),
            fault=fault,
            attestation=About.model_validate_json(row.about).attestation if row.about else None,
            difference=difference(parent, dataset) if parent is not None and dataset is not None else None,
            sheet=render_markdown(datasheet(dataset, counts(dataset)), top_heading=2) if dataset else "",
            notice={"new": "Frozen.", "same": "Nothing changed since this version was frozen."}.get(after, ""),
        )

    def new_page(
        request: Request, actor: Actor, *, fault: str = "", form: FreezeForm | None = None, status: int = 200
    ) -> Response:
        with site.engine.connect() as connection:
            dataset = standing_now(connection, intended_use=site.settings.intended_use).dataset
            found = findings(connection, dataset)
            names = sorted({row.name for row in all_versions(connection)})
        about = dataset.about
        return site.page(
            request,
            actor,
            "freeze.html",
            status_code=status,
            counts=counts(dataset),
            agreement=about.agreement if about else (),
            data_class=dataset.data_class,
            findings=found,
            names=names,
            form=form or FreezeForm(intended_use=site.settings.intended_use, name=names[0] if names else ""),
            attestation=ATTESTATION,
            ways=site.guard.signing_ways(request),
            fault=fault,
        )


def _shown(signature: Signature | None) -> str:
    return "Not signed." if signature is None else manifestation(signature)


def _signature_fault(connection: sa.Connection, row: sa.Row[Any]) -> str:
    """Why the signature does not stand; nothing when it does, or when there is none."""
    try:
        check_signature(connection, row)
    except LedgerError as error:
        return str(error)
    return ""
