"""`codex-ml plugins`: what is installed, whether it works, and the beginning of one's own."""
