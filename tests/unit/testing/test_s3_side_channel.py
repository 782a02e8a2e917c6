"""What a test knows about a server is what a command is told about it."""

from __future__ import annotations

from swampsync.backends.s3_keys import S3Keys
from swampsync.testing.s3_side_channel import S3Server


def test_variables_hold_the_session_token_if_there_is_one() -> None:
    """Temporary keys reach a command whole; without a token no variable for it is there."""
    temporary = S3Server("endpoint", "https://minio.example.com", S3Keys("key", "secret", "token"))
    assert temporary.key_variables() == {
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_SESSION_TOKEN": "token",
    }
    lasting = S3Server("endpoint", "https://minio.example.com", S3Keys("key", "secret"))
    assert "AWS_SESSION_TOKEN" not in lasting.key_variables()
