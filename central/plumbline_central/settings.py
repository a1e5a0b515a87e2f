"""What CENTRAL.toml may say: plain frozen values; `plumbline_central.config` reads a file against them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from annotated_types import Ge, Gt, Le, MinLen

from plumbline import broker
from plumbline.broker import Port
from plumbline.strictfile import is_loopback
from plumbline_central.alerts.alert import Rule, What
from plumbline_central.alerts.escalation import LADDERS, Handling, Rung
from plumbline_central.deviation import Band, Severity
from plumbline_central.rules.limits import Limits

_STRICT: dict[str, Any] = {"extra": "forbid"}


@dataclass(frozen=True, slots=True, kw_only=True)
class BrokerSettings(broker.BrokerSettings):
    """Where the batches come from."""

    client_id: Annotated[str, MinLen(1)] = "plumbline-central"
    """Two centrals on one broker need two; the broker holds messages for it while central is away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """Where page and API are served. Off this machine a certificate is required."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    host: str = "127.0.0.1"
    port: Port = 8080
    tls_cert_file: str | None = None
    tls_key_file: str | None = None
    names: tuple[str, ...] = ()
    """Host names that people type to reach the page, besides this machine's own."""
    public_url: str = ""
    """Where people find the page; messages about alerts link to it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RungSettings:
    """So long unacknowledged, an alert is told again; `becomes` makes an amber one red."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    after_s: Annotated[float, Gt(0), Le(3e7)]
    becomes: Literal["red"] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class EscalationSettings:
    """What happens while nobody acknowledges: rungs in ascending order, for each severity. None: nothing."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    amber: tuple[RungSettings, ...] = tuple(
        RungSettings(after_s=rung.after_s, becomes="red" if rung.becomes else None)
        for rung in LADDERS["amber"]
    )
    red: tuple[RungSettings, ...] = tuple(RungSettings(after_s=rung.after_s) for rung in LADDERS["red"])


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertSettings:
    """When a deviation from the plan is an alert, and what becomes of alerts; see docs/alerts.md."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    evaluate_every_s: Annotated[float, Gt(0), Le(86_400)] = 60.0
    """How often the plan is compared while no photo comes."""
    raise_over_pp: Annotated[float, Gt(0), Le(100)] = 5.0
    clear_below_pp: Annotated[float, Gt(0), Le(100)] = 4.0
    hold_observations: Annotated[int, Ge(1), Le(100)] = 2
    fresh_for_s: Annotated[float, Gt(0), Le(3e7)] = 36 * 3600.0
    """How long the last usable photo speaks for its site."""
    rectified_within_s: Annotated[float, Gt(0), Le(3e7)] = 86_400.0
    """How long after somebody said that the cause is put right the condition may still be there."""
    longest_shelf_s: Annotated[float, Gt(0), Le(30 * 86_400)] = 30 * 86_400.0
    linger_s: Annotated[float, Ge(0), Le(86_400)] = 600.0
    """How long a gateway that is back still mutes what is known through it: what it stored comes first."""
    escalation: EscalationSettings = field(default_factory=EscalationSettings)

    @property
    def band(self) -> Band:
        return Band(
            raise_over_pp=self.raise_over_pp,
            clear_below_pp=self.clear_below_pp,
            hold_observations=self.hold_observations,
            fresh_for_s=self.fresh_for_s,
        )

    @property
    def handling(self) -> Handling:
        return Handling(
            rectified_within=timedelta(seconds=self.rectified_within_s),
            longest_shelf=timedelta(seconds=self.longest_shelf_s),
            linger=timedelta(seconds=self.linger_s),
            ladders={
                "amber": tuple(
                    Rung(after_s=one.after_s, becomes=one.becomes) for one in self.escalation.amber
                ),
                "red": tuple(Rung(after_s=one.after_s) for one in self.escalation.red),
            },
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class LedgerSettings:
    """Where the ledger's old rows go, so that the disk is bounded."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    archive_after_s: Annotated[float, Ge(0), Le(1e9)] = 180 * 86_400.0
    """How old the newest row of a block of 4,096 must be before the block is moved to the archive; 0: never."""
    archive_dir: str | None = None
    """The archive's folder, on another disk perhaps; None: `archive` in data_dir."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DownsampleSettings:
    """Readings older than `after_days` are kept as one mean per `step_s`."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    after_days: Annotated[int, Ge(1), Le(36_500)]
    step_s: Annotated[int, Ge(1), Le(86_400)]


@dataclass(frozen=True, slots=True, kw_only=True)
class StoreSettings:
    """Where readings go as time series; see docs/influxdb.md. A secret stands in a file of its own."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    kind: Literal["sqlite", "influx1", "influx2"] = "sqlite"
    url: str = "http://127.0.0.1:8086"
    database: str = "plumbline"
    """influx1."""
    retention_policy: str = "plumbline"
    """influx1; empty: none is named, as InfluxDB 3 Core wants it."""
    org: str = ""
    """influx2."""
    bucket: str = "plumbline"
    """influx2."""
    auth: Literal["none", "basic", "token", "bearer"] | None = None
    """None: what the files given below ask for."""
    user: str = ""
    password_file: str | None = None
    token_file: str | None = None
    ca_file: str | None = None
    """Of a server whose certificate is the house's own."""
    timeout_s: Annotated[float, Gt(0), Le(600)] = 10.0
    gzip: bool | None = None
    """None: unless the server is on this machine, where it only costs."""
    retention_days: Annotated[int, Ge(0), Le(36_500)] = 0
    """0: for ever."""
    downsample: tuple[DownsampleSettings, ...] = ()

    @property
    def name(self) -> str:
        """Tells this store from every other."""
        if self.kind == "sqlite":
            return self.kind
        return f"{self.kind} {self.bucket if self.kind == 'influx2' else self.database} at {self.url}"

    @property
    def compressed(self) -> bool:
        return not is_loopback(urlsplit(self.url).hostname or "") if self.gzip is None else self.gzip

    @property
    def scheme(self) -> Literal["none", "basic", "token", "bearer"]:
        """How to say who we are."""
        if self.auth is not None:
            return self.auth
        if self.token_file is not None:
            return "token"
        return "basic" if self.password_file is not None else "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookSettings:
    """One consumer of alerts over HTTP; the file's content signs each message."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: str
    url: str
    secret_file: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """One group robot, or any service that apprise knows. Its address is a secret, so it stands in a file."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: str
    kind: Literal["dingtalk", "feishu", "wecom", "apprise"]
    url_file: str
    secret_file: str | None = None
    """Holds what a DingTalk or Feishu robot's messages are signed with."""
    language: Literal["zh", "en"] = "zh"
    per_minute: Annotated[int, Ge(4), Le(600)] | None = None
    """Messages; what the vendor allows where it is not given. More gathers into a digest."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MailSettings:
    """One list of receivers, and the server that mail is handed in to."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: str
    host: str
    sender: str
    receivers: Annotated[tuple[str, ...], MinLen(1)]
    port: Port = 587
    security: Literal["tls", "starttls", "none"] = "starttls"
    """none: on this machine only."""
    user: str = ""
    password_file: str | None = None
    language: Literal["zh", "en"] = "zh"


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertmanagerSettings:
    """One Prometheus Alertmanager."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    name: str
    url: str
    user: str = ""
    password_file: str | None = None
    repeat_s: Annotated[float, Ge(1), Le(3600)] = 60.0
    """Open alerts are told again so often, or they end there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RouteSettings:
    """Which alerts people are told of by which chats and mails; what is left out fits everything."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    channels: Annotated[tuple[str, ...], MinLen(1)]
    """Such as "chat:site-group" and "mail:office"."""
    sites: tuple[str, ...] = ()
    severities: tuple[Severity, ...] = ()
    rules: tuple[Rule, ...] = ()
    owners: tuple[str, ...] = ()
    steps: tuple[What, ...] = ()
    hours: str = ""
    """Such as "07:30-19:00", in central's time zone; over midnight where the second is earlier."""
    weekdays: tuple[Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"], ...] = ()
    only: bool = False
    """Later routes are not asked for what fits this one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CentralSettings:
    """The whole file. Relative paths in it are taken from its own folder."""

    __pydantic_config__: ClassVar[dict[str, Any]] = _STRICT
    data_dir: str
    language: Literal["zh", "en"] = "zh"
    stale_after_s: Annotated[float, Gt(0), Le(3e7)] = 300.0
    """How old a reading may be and still look live."""
    broker: BrokerSettings = field(default_factory=BrokerSettings)
    http: HttpSettings = field(default_factory=HttpSettings)
    alerts: AlertSettings = field(default_factory=AlertSettings)
    ledger: LedgerSettings = field(default_factory=LedgerSettings)
    store: StoreSettings = field(default_factory=StoreSettings)
    rules: Limits = field(default_factory=Limits)
    webhooks: tuple[WebhookSettings, ...] = ()
    alertmanagers: tuple[AlertmanagerSettings, ...] = ()
    chats: tuple[ChatSettings, ...] = ()
    mails: tuple[MailSettings, ...] = ()
    routes: tuple[RouteSettings, ...] = ()
    """Without any, every chat and mail is told of every alert."""

    @property
    def certificate_files(self) -> dict[str, Path]:
        """What central presents or trusts, by what it is for."""
        files = {
            "broker": self.broker.cert_file,
            "broker-ca": self.broker.ca_file,
            "page": self.http.tls_cert_file,
            "store-ca": self.store.ca_file,
        }
        return {subject: Path(file) for subject, file in files.items() if file is not None}

    @property
    def archive_dir(self) -> Path | None:
        return None if self.ledger.archive_dir is None else Path(self.ledger.archive_dir)
