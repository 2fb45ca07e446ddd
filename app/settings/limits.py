"""How much one request, one caller and all of them together may ask for."""

from pydantic import BaseModel, Field, field_validator


class LimitSettings(BaseModel):
    """Sizes, counts, rates, deadlines and queues."""

    max_image_bytes: int = Field(10_000_000, ge=1, description="Largest image file.")
    max_image_pixels: int = Field(25_000_000, ge=1, description="Largest image, width times height.")
    max_request_bytes: int = Field(20_000_000, ge=1, description="Largest request body, counted while it streams.")
    max_enroll_images: int = Field(10, ge=1, le=100, description="Most images in one enrolment.")
    max_cluster_images: int = Field(100, ge=1, le=200, description="Most images in one request for groups.")
    max_cluster_images_at_once: int = Field(
        20, ge=1, description="Most of them that are answered at once; more become a job, which is answered 202."
    )
    max_cluster_jobs: int = Field(
        8, ge=1, le=1000, description="Most such jobs that wait or run; one more is answered 503."
    )
    cluster_job_keep_seconds: float = Field(
        600.0, gt=0, le=86_400, description="How long a job that has ended is kept for its caller."
    )
    max_cluster_faces: int = Field(1000, ge=1, le=10_000, description="Most faces in all images of such a request.")
    max_faces_per_subject: int = Field(100, ge=1, description="Most faces that one subject may have.")
    max_top_k: int = Field(100, ge=1, le=1000, description="Most candidates that one identification may ask for.")
    max_metadata_bytes: int = Field(4096, ge=2, description="Largest metadata of a subject, as JSON in UTF-8.")
    rate_limit: str | None = Field(
        None,
        description="Most requests of one API key (without keys: of one address), such as `20/second;1000/hour`; one "
        "more is answered 429 `rate_limited`. A key may have a rate of its own (`sameface keys create --rate-limit`). "
        "Each process counts for itself. Unset, any number.",
    )
    max_requests_in_flight: int = Field(
        64, ge=1, description="Requests worked on at once; one more is answered 503 `overloaded` at once."
    )
    request_deadline_seconds: float = Field(
        30.0, gt=0, description="Longest a request may take, its upload included; then it is answered 504."
    )
    header_timeout_seconds: float = Field(
        10.0, gt=0, description="Longest the headers of a request may take to come; then the connection is closed."
    )
    max_header_bytes: int = Field(
        65_536, ge=1024, description="About the most bytes of a request's headers; one with more is answered 431."
    )
    upload_idle_seconds: float = Field(
        10.0, gt=0, description="Longest silence within an upload; then the request is answered 504."
    )
    max_embed_batch: int = Field(
        16, ge=1, description="Most faces in one run of the embedding network; in processes at most four."
    )
    max_embed_queue: int = Field(512, ge=1, description="Most faces that wait for the embedding network.")
    max_search_batch: int = Field(64, ge=1, description="Most probes in one search of the index.")
    max_search_queue: int = Field(512, ge=1, description="Most probes that wait for a search.")

    @field_validator("rate_limit")
    @classmethod
    def _rate_is_one(cls, value: str | None) -> str | None:
        if value is not None:
            check_rate(value)
        return value


def check_rate(text: str) -> None:
    """Raise ValueError for what is no rate of requests."""
    from limits import parse_many  # slow to import, and only some need it

    try:
        rates = parse_many(text)
    except ValueError:
        rates = []
    if not rates or any(rate.amount < 1 for rate in rates):
        raise ValueError("a rate is written like 20/second, 600/minute or 20/second;1000/hour")
