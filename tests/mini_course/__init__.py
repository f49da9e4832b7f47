from tests.bank import WAYS

__all__ = ["WAYS"]
