"""The topics of Kafka as training's commands write, read and follow them."""
