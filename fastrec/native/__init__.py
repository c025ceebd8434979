"""The compiled modules land here: ``cpu`` and ``ids`` directly, kernels in a folder per level."""
