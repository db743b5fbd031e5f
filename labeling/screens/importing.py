"""The import screen: a file is uploaded, inspected and shown in figures, and imported after a yes. All rows or none."""

from dataclasses import dataclass, replace
from typing import Annotated, Self, get_args

from fastapi import Depends, Form, Request, Response
from fastapi.responses import RedirectResponse
from starlette.datastructures import UploadFile

from core.access import Act, Actor
from core.data_classes import holds
from core.errors import PreceptorError
from core.labeling_settings import DataClass, LabelingSettings
from labeling.content.importing import write_pairs
from labeling.content.inspecting import ImportRules, inspect_pairs
from labeling.content.rows import MAPPABLE_FIELDS, mapping_of
from labeling.content.sources import Source
from labeling.content.uploads import ENDINGS, Uploads
from labeling.screens.room import Site
from labeling.screens.upload_limit import UploadLimit

SHOWN = 50
"""Rows of each table on the page."""


@dataclass(frozen=True)
class _Form:
    """What the page sends."""

    file: UploadFile | None
    weak: str
    strong: str
    data_class: str
    mapping: str

    @classmethod
    async def of(cls, request: Request) -> Self:
        """The form of a request."""
        sent = await request.form()
        file = sent.get("file")
        weak, strong, data_class, mapping = (
            str(sent.get(name, "")) for name in ("weak", "strong", "data_class", "mapping")
        )
        return cls(file if isinstance(file, UploadFile) else None, weak, strong, data_class, mapping)


def add_import_screen(site: Site) -> None:
    """Add `/import` and `/import/confirm`."""
    app, engine, clock, settings = site.app, site.engine, site.clock, site.settings
    importer = Depends(site.guard.may(Act.IMPORT_ITEMS))
    sender = Depends(site.guard.may_sending(Act.IMPORT_ITEMS))
    uploads = Uploads()
    app.add_middleware(UploadLimit, path="/import", max_bytes=settings.max_upload_mb * 10**6)

    def form_page(request: Request, actor: Actor, *, fault: str = "", status: int = 200) -> Response:
        return site.page(
            request,
            actor,
            "import.html",
            status_code=status,
            fault=fault,
            notice="" if fault else _notice(request),
            endings=ENDINGS,
            fields=MAPPABLE_FIELDS,
            data_classes=get_args(DataClass),
            data_class=settings.data_class,
            max_mb=settings.max_upload_mb,
        )

    @app.get("/import")
    def show(request: Request, actor: Annotated[Actor, importer]) -> Response:
        return form_page(request, actor)

    @app.post("/import")
    def inspect(
        request: Request, actor: Annotated[Actor, sender], form: Annotated[_Form, Depends(_Form.of)]
    ) -> Response:
        try:
            if form.file is None or not form.file.filename:
                raise PreceptorError("No file was chosen. Choose one.")
            rules = _rules(form, settings)
            fields = mapping_of([line.strip() for line in form.mapping.splitlines() if line.strip()])
            token, upload = uploads.keep(form.file.file, form.file.filename, person=actor.name, now=clock())
            source = Source((upload.path,), weak=rules.weak, strong=rules.strong, mapping=fields)
        except PreceptorError as error:
            return form_page(request, actor, fault=str(error), status=422)
        inspection = inspect_pairs(engine, source, rules=rules)
        uploads.note(token, replace(upload, source=source, rules=rules, inspection=inspection))
        return site.page(
            request,
            actor,
            "import_report.html",
            token=token,
            name=upload.name,
            report=upload.named(inspection.report),
            data_class=rules.data_class,
            is_holding=holds(rules.data_class),
            shown=SHOWN,
        )

    @app.post("/import/confirm")
    def confirm(request: Request, actor: Annotated[Actor, sender], token: Annotated[str, Form()] = "") -> Response:
        try:
            upload = uploads.of(token, person=actor.name, now=clock())
            if upload.source is None or upload.rules is None or upload.inspection is None:
                raise PreceptorError("That file was not inspected yet. Upload it again.")
            write_pairs(engine, upload.source, upload.inspection, by=actor.name, now=clock(), rules=upload.rules)
        except PreceptorError as error:
            return form_page(request, actor, fault=str(error), status=409)
        uploads.drop(token)
        report = upload.inspection.report
        return RedirectResponse(f"/import?pairs={report.n_new}&held={len(report.held)}", status_code=303)


def _rules(form: _Form, settings: LabelingSettings) -> ImportRules:
    return ImportRules(
        weak=form.weak.strip() or None,
        strong=form.strong.strip() or None,
        # A class that the page does not offer is taken for the strictest.
        data_class=form.data_class if form.data_class in get_args(DataClass) else "identified",
        overlap_high_stakes=settings.overlap_high_stakes,
        overlap_low_stakes=settings.overlap_low_stakes,
    )


def _notice(request: Request) -> str:
    pairs, held = (request.query_params.get(name, "") for name in ("pairs", "held"))
    if not (pairs.isdecimal() and held.isdecimal()):
        return ""
    waiting = "" if held == "0" else f" Waiting for clearance: {held}."
    return f"New pairs imported: {pairs}.{waiting}"
