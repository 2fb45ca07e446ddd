"""What is kept, how it is encrypted, and when it is forgotten."""

from datetime import timedelta
from pathlib import Path

from pydantic import BaseModel, Field, SecretStr


class RetentionSettings(BaseModel):
    """Crops, template keys, answers, expiry and the audit log."""

    store_crops: bool = Field(
        False,
        description="Keep an aligned crop of each face that is enrolled from now on, for people to look at and for "
        "`sameface reembed` when the model changes. It is a photograph of the person: encrypted with the template key "
        "if there is one, erased with the face.",
    )
    template_keys: SecretStr | None = Field(
        None,
        description="Keys that embeddings are encrypted with in the database (AES-256-GCM): 32 random bytes each, in "
        "base64, separated by commas. The first one encrypts, all of them decrypt.",
    )
    template_keys_file: Path | None = Field(
        None, description="A file with the template keys, one a line, instead of `SAMEFACE_TEMPLATE_KEYS`."
    )
    idempotency_hours: float = Field(
        24.0,
        gt=0,
        le=8760,
        description="How long the answer to an enrolment is kept for a repetition under its `Idempotency-Key`; it goes "
        "before that when the subject is erased.",
    )
    sweep_interval_seconds: float = Field(
        60.0,
        gt=0,
        le=86_400,
        description="How often subjects whose `expires_at` is over are erased; until then they can be found.",
    )
    audit_decisions: bool = Field(
        False,
        description="Record each decision of a verification or identification in the audit log, as enrolments and "
        "erasures always are.",
    )
    audit_retention_days: int | None = Field(
        None, ge=1, le=36_500, description="How long entries of the audit log are kept; unset, for ever."
    )
    max_audit_queue: int = Field(
        10_000,
        ge=1,
        description="Most decisions that wait for the audit log; one more is answered 503 `overloaded`, because it "
        "could not be recorded.",
    )

    @property
    def audit_retention(self) -> timedelta | None:
        """How long entries of the audit log are kept; None for ever."""
        return None if self.audit_retention_days is None else timedelta(days=self.audit_retention_days)

    @property
    def encrypts_templates(self) -> bool:
        """Whether embeddings are encrypted in the database."""
        return self.template_keys is not None or self.template_keys_file is not None
