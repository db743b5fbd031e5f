"""The web app where experts judge pairs; queue, freeze, exports. Never imports models."""
