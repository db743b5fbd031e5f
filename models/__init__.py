"""The routers: text in, probability out. Encoders, PEFT adapters, bundles, registry."""
