"""Elements of IP-XACT: names with their namespaces, and text that a person can read."""

from xml.etree import ElementTree

__all__ = ["SPIRIT", "VENDOR", "add", "to_text"]

_SPIRIT_URI = "http://www.spiritconsortium.org/XMLSchema/SPIRIT/1685-2009"
_VENDOR_URI = "http://www.xilinx.com"

#: Prefixes of names of IEEE 1685-2009 and of Vivado's extensions.
SPIRIT, VENDOR = f"{{{_SPIRIT_URI}}}", f"{{{_VENDOR_URI}}}"


def add(
    parent: ElementTree.Element, tag: str, text: str | None = None, **attributes: str
) -> ElementTree.Element:
    """Append an element and return it; names without a namespace are those of the standard."""
    qualified = tag if tag.startswith("{") else f"{SPIRIT}{tag}"
    element = ElementTree.SubElement(
        parent, qualified, {f"{SPIRIT}{name}": value for name, value in attributes.items()}
    )
    element.text = text
    return element


def to_text(root: ElementTree.Element) -> str:
    """Return a document's text, indented; equal trees give equal texts."""
    ElementTree.register_namespace("spirit", _SPIRIT_URI)
    ElementTree.register_namespace("xilinx", _VENDOR_URI)
    ElementTree.indent(root)
    text = ElementTree.tostring(root, encoding="unicode")
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{text}\n'
