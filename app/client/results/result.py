"""What all answers are: frozen values that keep the members which a newer server adds."""

from pydantic import BaseModel, ConfigDict


class Result(BaseModel):
    """Of every answer and of its parts."""

    model_config = ConfigDict(frozen=True, extra="allow")


class Model(Result):
    """Which model made the embeddings."""

    id: str
    sha256: str
