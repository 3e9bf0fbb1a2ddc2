"""Simulated USB devices for the kernel's vhci_hcd, by the USB/IP protocol. Nothing here shares code
with the dock: what both understand alike is what the standards say."""
