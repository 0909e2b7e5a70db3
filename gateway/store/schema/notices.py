"""What the owner is told: channels, the notices, and how far each is on its way."""

from sqlalchemy import Column, ForeignKey, Index, PrimaryKeyConstraint, Table

from gateway.domain.notice import ChannelKind, NoticeState, Occasion, SendingState
from gateway.store.schema.metadata import metadata
from gateway.store.types import BYTES, INTEGER, Member, Members, Words

channels = Table(
    "channels",
    metadata,
    Column("id", Words, primary_key=True),
    Column("name", Words, nullable=False, unique=True),
    Column("kind", Member(ChannelKind), nullable=False),
    Column("place", Words, nullable=False),
    Column("occasions", Members(Occasion), nullable=False),
    Column("created_at", INTEGER, nullable=False),
    Column("sent_at", INTEGER),
    Column("failed_at", INTEGER),
    Column("error", Words),
    Column("key_id", Words, ForeignKey("data_keys.id"), nullable=False),
    Column("sealed", BYTES, nullable=False),
    sqlite_strict=True,
)

notices = Table(
    "notices",
    metadata,
    Column("id", Words, primary_key=True),
    Column("occasion", Member(Occasion), nullable=False),
    Column("subject", Words, nullable=False),
    Column("title", Words, nullable=False),
    Column("text", Words, nullable=False),
    Column("at", INTEGER, nullable=False),
    Column("state", Member(NoticeState), nullable=False),
    # When it was told or gathered.
    Column("settled_at", INTEGER),
    Index(None, "state", "occasion", "settled_at"),
    Index(None, "at"),
    sqlite_strict=True,
)

sendings = Table(
    "sendings",
    metadata,
    Column("notice_id", Words, ForeignKey("notices.id", ondelete="CASCADE"), nullable=False),
    Column("channel_id", Words, ForeignKey("channels.id", ondelete="CASCADE"), nullable=False),
    Column("state", Member(SendingState), nullable=False),
    Column("attempts", INTEGER, nullable=False),
    Column("next_at", INTEGER),
    Column("error", Words),
    PrimaryKeyConstraint("notice_id", "channel_id"),
    Index(None, "state", "next_at"),
    Index(None, "channel_id"),
    sqlite_strict=True,
)
