"""What a shop may ask about itself, and how it learns that a submission was not accepted."""

from ordering.shops.handlers import publish_rejections, reject_refused_records
from ordering.shops.rules import printable

__all__ = ["printable", "publish_rejections", "reject_refused_records"]
