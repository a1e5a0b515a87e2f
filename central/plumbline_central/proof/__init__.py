"""Proof that what central keeps is what the gateways signed, whole and unchanged; docs/proof.md."""
