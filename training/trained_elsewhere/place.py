"""Where a fitted baseline goes: to a file, to a model version in MLflow, to Kafka; at least one of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from contracts.baseline import Baseline
from contracts.registry_address import shown
from training.compiled.export import Export
from training.errors import DataError, SettingsError
from training.registry.store import Registry
from training.topics.baselines import Publisher


@dataclass(frozen=True)
class Place:
    """The destinations that were asked for; None: not there."""

    out: Path | None
    publisher: Publisher | None
    registry: Registry | None

    def check(self) -> None:
        """Before the work: raises TrainingError when there is nowhere to go, or a destination is not there."""
        if self.out is None and self.publisher is None and self.registry is None:
            raise SettingsError(
                "the baseline would go nowhere: set TRAINING_BOOTSTRAP=host:port, or add --out FILE or --attach"
            )
        if self.out is not None and not self.out.parent.is_dir():
            raise DataError(f"--out {self.out}: there is no directory {self.out.parent}: make it, or name another file")
        if self.out is not None and self.out.is_dir():
            raise DataError(f"--out {self.out}: that is a directory: name a file in it")
        if self.publisher is not None:
            self.publisher.check()
        if self.registry is not None:
            self.registry.open()

    def put(self, baseline: Baseline, exported: Export | None = None) -> list[str]:
        """Put it everywhere; one line for each place. exported: for the registry. Raises TrainingError."""
        lines = []
        if self.out is not None:
            try:
                self.out.write_bytes(baseline.to_bytes())
            except OSError as error:
                raise DataError(f"{self.out}: cannot be written: {error.strerror}") from error
            lines.append(f"written     {self.out}")
        if self.registry is not None:
            version = self.registry.find(baseline.model, baseline.version)
            if exported is not None:
                if exported.compiled is not None:
                    self.registry.attach_compiled(version, exported.compiled)
                lines.append(f"compiled    {exported.said}")
            self.registry.attach_baseline(version, baseline)
            lines.append(f"attached    to {baseline.key} in {shown(self.registry.tracking_uri)}")
        if self.publisher is not None:
            self.publisher.publish(baseline)
            lines.append(f"published   to topic {self.publisher.topic} at {self.publisher.bootstrap}")
        return lines
