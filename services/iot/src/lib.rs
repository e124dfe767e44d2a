//! IoT: devices over MQTT, readings, early warnings.
