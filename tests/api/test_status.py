"""Looking at documents while they are on their way."""


def test_a_document_is_called_indexed_only_once_its_release_can_be_searched(own):
    """A client that polls until it reads `indexed` finds the document with its next request."""
    own.start_ingester()
    for n in range(5):
        own.put(f"d{n}", f"Sulphide number{n}.", wait=0)
        own.until(lambda n=n: own.status(f"d{n}").json["state"] == "indexed")
        assert f"d{n}" in own.found(f"number{n}", mode="text"), n
