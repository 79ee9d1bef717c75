from iflow_cli_proxy.protocols.listing import ModelRow


def test_a_row_needs_no_more_than_an_id_and_claims_nothing_else() -> None:
    row = ModelRow("glm-5")

    assert row.id == "glm-5"
    assert not any(row[1:])
