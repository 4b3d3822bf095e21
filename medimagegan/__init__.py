__version__ = "0.1.0"

from medimagegan.public import PUBLIC, load_public  # noqa: E402


def __dir__() -> list[str]:
    return sorted(PUBLIC)


def __getattr__(name: str):
    return load_public(name)
