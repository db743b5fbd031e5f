"""The page shell that every screen shares: templates, static files, headers, error pages.

An app made here sends no request elsewhere, keeps nothing in the browser's cache and works with JavaScript off.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.staticfiles import StaticFiles
from fastapi.templating import Jinja2Templates
from jinja2 import ChoiceLoader, Environment, FileSystemLoader, StrictUndefined
from starlette.exceptions import HTTPException
from starlette.middleware.trustedhost import TrustedHostMiddleware

from core.access import Act
from core.errors import AccessDenied, PreceptorError
from web.headers import SecurityHeaders

HERE = Path(__file__).parent

LOOPBACK_HOSTS = ("127.0.0.1", "localhost", "[::1]", "testserver")
"""Host names under which a server on this machine is reached; `testserver` is the test client's."""


def create_shell(
    title: str,
    *,
    rooms: Mapping[str, Path] | None = None,
    navigation: Sequence[tuple[str, str] | tuple[str, str, Act]] = (),
    hosts: Sequence[str] = LOOPBACK_HOSTS,
) -> tuple[FastAPI, Jinja2Templates]:
    """An app with the shared shell, and the templates to render its pages with.

    Args:
        title: the name of the screen, shown beside the project's.
        rooms: folders by room name, each with `templates/` and `static/`; the latter is served at `/static/<room>/`.
        navigation: (path, label) of the links in the header; with an act, whoever may not do it does not see the link.
        hosts: host names that requests may carry; others are refused, so no foreign name can be bound to this server.
    """
    folders = {"web": HERE, **(rooms or {})}
    app = FastAPI(title=title, docs_url=None, redoc_url=None, openapi_url=None)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=list(hosts))
    app.add_middleware(SecurityHeaders)
    for room, folder in folders.items():
        if (folder / "static").is_dir():
            app.mount(f"/static/{room}", StaticFiles(directory=folder / "static"), name=f"static-{room}")
    pages = Jinja2Templates(
        env=Environment(
            loader=ChoiceLoader([FileSystemLoader(folder / "templates") for folder in folders.values()]),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
    )
    app.state.navigation = tuple((path, label, act[0] if act else None) for path, label, *act in navigation)
    shown = tuple((path, label) for path, label, act in app.state.navigation if act is None)
    pages.env.globals.update(
        screen=title, navigation=shown, person=None, csrf="", session_seconds=None, session_warn=120
    )
    pages.env.globals.update(account_path="", signs_in_by_oidc=False)
    _add_error_pages(app, pages)
    return app, pages


def message_page(
    pages: Jinja2Templates, request: Request, *, heading: str, text: str, status_code: int = 200
) -> Response:
    """A page that says one thing."""
    context = {"heading": heading, "text": text}
    return pages.TemplateResponse(request, "message.html", context, status_code=status_code)


def _add_error_pages(app: FastAPI, pages: Jinja2Templates) -> None:
    @app.get("/favicon.ico", include_in_schema=False)
    def favicon() -> Response:
        return Response((HERE / "static" / "favicon.svg").read_bytes(), media_type="image/svg+xml")

    def refused(request: Request, error: Exception) -> Response:
        status = 403 if isinstance(error, AccessDenied) else 409
        return message_page(pages, request, heading="This was refused", text=str(error), status_code=status)

    def failed(request: Request, error: Exception) -> Response:
        status, detail = (error.status_code, error.detail) if isinstance(error, HTTPException) else (500, "")
        heading = "There is no such page" if status == 404 else "This request cannot be answered"
        return message_page(pages, request, heading=heading, text=f"{status} {detail}".strip(), status_code=status)

    def misfit(request: Request, error: Exception) -> Response:
        faults = error.errors() if isinstance(error, RequestValidationError) else []
        # Names of fields alone: what was sent may be a text that belongs on no page of errors.
        names = ", ".join(dict.fromkeys(f"'{fault['loc'][-1]}'" for fault in faults))
        text = f"The request holds no fitting value of {names}. Go back, reload the page and send it again."
        return message_page(pages, request, heading="This request cannot be answered", text=text, status_code=422)

    app.add_exception_handler(PreceptorError, refused)
    app.add_exception_handler(RequestValidationError, misfit)
    app.add_exception_handler(HTTPException, failed)
