from __future__ import annotations

from xml.etree import ElementTree

from iflow_cli_proxy.server.admin.qr import qr_svg


def test_it_is_one_drawing_without_anything_that_runs() -> None:
    root = ElementTree.fromstring(qr_svg('https://example.com/?code=ABCD&x="<script>'))

    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert {element.tag.partition("}")[2] for element in root.iter()} <= {"svg", "path", "g"}
    assert "ABCD" not in qr_svg("https://example.com/?code=ABCD")
    assert qr_svg("one") != qr_svg("another")
