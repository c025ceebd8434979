"""The compiled modules land here: ``cpu`` and ``ids`` directly, the kernels in a folder per ISA level."""
