"""What the tests of central's intake share."""

import pytest
from paper_gateway import PaperGateway


@pytest.fixture
def gateway():
    return PaperGateway()


@pytest.fixture(scope="session")
def new_gateway():
    return PaperGateway
