"""Telemetry in InfluxDB: two dialects, one store on top; docs/influxdb.md tells what is written and what to ask."""
