"""The API's model store on a real MLflow: what it loads, what it refuses, what it keeps."""

from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from api.errors import ModelRefused, NothingToServe, RegistryAway
from api.models.pointers import Pointers
from api.models.store import ModelStore
from contracts.rollout import ROLLOUT_TAG, Rollout, encode_rollout
from contracts.schema import Feature, FeatureSchema
from tests.apis import shared_registry
from tests.builders import NOON, a_baseline, a_model_version, reference_columns

NUMBERS = FeatureSchema((Feature("distance", "numeric"), Feature("seats", "numeric")))


def store(directory: Path, model: str, uri: str | None = None) -> ModelStore:
    return ModelStore(uri or shared_registry(), model, "champion", directory)


def refusal(directory: Path, model: str, **version: object) -> str:
    made = a_model_version(shared_registry(), model=model, **version)
    with pytest.raises(ModelRefused) as caught:
        store(directory, model).load(made)
    assert list((directory / model).glob("*")) == []  # nothing half loaded stays behind
    return str(caught.value)


def fitted(estimator):
    columns = reference_columns(NUMBERS, 200)
    rows = list(zip(*columns.values(), strict=True))
    return estimator.fit(rows, columns["distance"] > 100)


def test_the_alias_names_a_version_and_follows_when_it_is_moved(tmp_path: Path):
    models = store(tmp_path, "alias")
    first = a_model_version(shared_registry(), model="alias")
    assert models.pointers().champion == first

    second = a_model_version(shared_registry(), model="alias")

    assert models.pointers().champion == second != first


def test_aliases_and_the_tag_of_a_rollout_are_read_in_one_call(tmp_path: Path):
    first = a_model_version(shared_registry(), model="pointers")
    second = a_model_version(shared_registry(), model="pointers", alias="challenger")
    models, client = store(tmp_path, "pointers"), MlflowClient(shared_registry())
    assert models.pointers() == Pointers(first, None, second)

    rollout = Rollout(version=second, stage="canary", share=5, since=NOON)
    client.set_registered_model_tag("pointers", ROLLOUT_TAG, encode_rollout(rollout))
    assert models.pointers() == Pointers(first, rollout, second)

    client.set_registered_model_tag("pointers", ROLLOUT_TAG, "soon")
    found = models.pointers()
    assert (found.champion, found.rollout) == (first, None)
    assert ROLLOUT_TAG in found.wrong


def test_a_process_that_follows_another_alias_takes_no_part_in_rollouts(tmp_path: Path):
    green = a_model_version(shared_registry(), model="green", alias="green")
    rollout = Rollout(version=green, stage="shadow", since=NOON)
    MlflowClient(shared_registry()).set_registered_model_tag("green", ROLLOUT_TAG, encode_rollout(rollout))

    assert ModelStore(shared_registry(), "green", "green", tmp_path).pointers() == Pointers(green)


def test_an_alias_that_no_version_has_is_the_registrys_no(tmp_path: Path):
    a_model_version(shared_registry(), model="headless", alias=None)

    first = "no version of headless has the alias 'champion': run `python -m training promote VERSION --model headless`"
    with pytest.raises(NothingToServe, match=f"^{first}$"):
        store(tmp_path, "headless").pointers()
    a_model_version(shared_registry(), model="headless", alias="challenger")
    with pytest.raises(NothingToServe, match="`python -m training promote challenger --model headless`"):
        store(tmp_path, "headless").pointers()
    with pytest.raises(NothingToServe, match=r"alias 'green' \(API_MODEL_ALIAS\): give it to one in MLflow"):
        ModelStore(shared_registry(), "headless", "green", tmp_path).pointers()


def test_a_model_that_is_not_registered_is_named_with_what_makes_one(tmp_path: Path):
    with pytest.raises(NothingToServe, match="has no model 'nobodys': `python -m training train` makes it"):
        store(tmp_path, "nobodys").pointers()


@pytest.mark.parametrize(
    ("uri", "said"),
    [
        ("http://127.0.0.1:1", "MLflow at http://127.0.0.1:1 does not answer (connection refused)"),
        ("http://me:secret@127.0.0.1:1", "MLflow at http://...@127.0.0.1:1 does not answer (connection refused)"),
        ("http://127.0.0.1:1/?token=secret", "MLflow at http://127.0.0.1:1/?... does not answer (connection refused)"),
        ("http://me:sec/ret@127.0.0.1:1", "MLflow at http://...@127.0.0.1:1 does not answer (InvalidURL)"),
        ("127.0.0.1:5000", "127.0.0.1:5000 has no scheme: is it http://127.0.0.1:5000?"),
        ("db:5432/x?password=secret", "db:5432/x?... has no scheme: is it http://db:5432/x?...?"),
        ("sqlite:///no.db?key=secret", "there is no file no.db"),
        (
            "mysql+pymysql://me:secret@db/x",
            "MLflow at mysql+pymysql://...@db/x: the Python package PyMySQL is not installed: pip install PyMySQL",
        ),
    ],
)
def test_a_wrong_address_of_mlflow_is_one_short_line_without_its_password(tmp_path: Path, uri: str, said: str):
    with pytest.raises(RegistryAway) as raised:
        ModelStore(uri, "flights", "champion", tmp_path).pointers()
    assert str(raised.value) == f"API_TRACKING_URI: {said}"


@pytest.mark.parametrize("uri", ["nosuch://me:secret@db/x", "me:secret@db:5432/mlflow", "postgresql:me:secret@db/x"])
def test_what_mlflow_says_of_an_address_is_told_without_its_password(tmp_path: Path, uri: str):
    with pytest.raises(
        RegistryAway, match=r"^flights@champion: (Model registry .*'[a-z:/]*\.\.\.@db|Could not)"
    ) as raised:
        ModelStore(uri, "flights", "champion", tmp_path).pointers()
    assert "secret" not in str(raised.value)


def test_a_registry_file_may_have_parameters(tmp_path: Path):
    made = a_model_version(shared_registry(), model="parameters")
    assert store(tmp_path, "parameters", uri=f"{shared_registry()}?timeout=3").pointers().champion == made


def folders(directory: Path, model: str) -> int:
    return len([entry for entry in (directory / model).iterdir() if entry.is_dir()])


def test_going_on_and_back_takes_no_fetching_and_leaves_no_more_than_is_pointed_to(tmp_path: Path):
    versions = [a_model_version(shared_registry(), model="to-and-fro") for _ in range(3)]
    main = ModelStore(shared_registry(), "to-and-fro", "champion", tmp_path, before=True)
    beside = ModelStore(shared_registry(), "to-and-fro", "champion", tmp_path, copy="champion+rollout")
    kept = [main.keep(main.load(versions[0])), beside.keep(beside.load(versions[1]))]
    assert None not in kept

    assert main.keep_again(versions[1], kept[1])  # promoted
    assert main.load_cached().version == versions[1]
    assert main.keep_again(versions[0], kept[0])  # rolled back
    assert main.load_cached().version == versions[0]
    assert folders(tmp_path, "to-and-fro") == 2

    beside.keep(beside.load(versions[2]))  # the next one on its way
    assert kept[1].is_dir()  # the champion before the present one
    assert folders(tmp_path, "to-and-fro") == 3
    main.keep(main.load(versions[2]))
    assert main.load_cached().version == versions[2]
    assert kept[0].is_dir()
    assert not main.keep_again(versions[1], kept[1])  # nothing pointed to it any more


def test_a_version_is_loaded_with_its_baseline(tmp_path: Path):
    version = a_model_version(shared_registry(), model="loads", threshold=0.25)

    loaded = store(tmp_path, "loads").load(version)

    assert (loaded.name, loaded.version, loaded.cached) == ("loads", version, False)
    assert (loaded.baseline.key, loaded.baseline.threshold) == (f"loads/{version}", 0.25)
    assert hasattr(loaded.estimator, "predict_proba")


def test_the_local_copies_may_lie_in_a_relative_folder_as_the_default_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    version = a_model_version(shared_registry(), model="relative")
    monkeypatch.chdir(tmp_path)
    models = store(Path("var/models"), "relative")

    models.keep(models.load(version))

    assert models.load_cached().version == version


def test_trees_are_among_the_trusted_types(tmp_path: Path):
    trees = fitted(HistGradientBoostingClassifier(max_iter=3))
    version = a_model_version(shared_registry(), model="trees", schema=NUMBERS, estimator=trees)

    assert type(store(tmp_path, "trees").load(version).estimator) is HistGradientBoostingClassifier


def test_the_last_champion_can_be_loaded_without_the_registry(tmp_path: Path):
    for _ in range(2):
        version = a_model_version(shared_registry(), model="kept")
        models = store(tmp_path, "kept")
        models.keep(models.load(version))

    loaded = store(tmp_path, "kept", uri="http://127.0.0.1:1").load_cached()

    assert (loaded.version, loaded.cached) == (version, True)
    assert len([entry for entry in (tmp_path / "kept").iterdir() if entry.is_dir()]) == 1


def test_a_version_that_is_discarded_leaves_the_local_copy_as_it_was(tmp_path: Path):
    models = store(tmp_path, "spared")
    first = a_model_version(shared_registry(), model="spared")
    models.keep(models.load(first))

    models.discard(models.load(a_model_version(shared_registry(), model="spared")))

    assert models.load_cached().version == first
    assert len([entry for entry in (tmp_path / "spared").iterdir() if entry.is_dir()]) == 1


def test_without_a_local_copy_there_is_none(tmp_path: Path):
    with pytest.raises(ModelRefused, match="holds no local copy of what the alias pointed to"):
        store(tmp_path, "none").load_cached()


def test_a_version_without_a_baseline_is_refused_with_the_command_that_adds_one(tmp_path: Path):
    said = refusal(tmp_path, "bare", baseline=b"")

    assert "bare/1 has no baseline.json" in said
    assert "python -m training baseline --model bare --version 1" in said


def test_a_broken_baseline_is_refused(tmp_path: Path):
    assert "broken/1: baseline.json: not a baseline" in refusal(tmp_path, "broken", baseline=b"{}")


def test_the_baseline_of_another_version_is_refused(tmp_path: Path):
    other = a_baseline(model="other", version="9").to_bytes()

    assert refusal(tmp_path, "misfitted", baseline=other) == (
        "misfitted/1 carries the baseline of other/9: fit one to this version"
    )


def test_a_pickled_model_is_refused(tmp_path: Path):
    said = refusal(tmp_path, "pickled", serialization_format="cloudpickle", skops_trusted_types=None)

    assert said.startswith("pickled/1 is pickled, and loading a pickle runs its code")


def test_what_a_file_asks_to_be_trusted_is_not_trusted_for_that(tmp_path: Path):
    """MLflow's own loader would: it reads the list from the file it is about to load."""
    strange = fitted(make_pipeline(FunctionTransformer(abs_), LogisticRegression()))

    said = refusal(
        tmp_path,
        "sly",
        schema=NUMBERS,
        estimator=strange,
        skops_trusted_types=["numpy.dtype", f"{abs_.__module__}.{abs_.__name__}"],
    )

    assert said.startswith("sly/1 holds types that are not in contracts.model_files")


def abs_(values):
    return values


def test_a_registry_file_that_is_not_there_is_named_and_not_made(tmp_path: Path):
    file = tmp_path / "typo.db"

    with pytest.raises(RegistryAway, match=f"API_TRACKING_URI: there is no file {file}"):
        store(tmp_path, "any", uri=f"sqlite:///{file}").pointers()
    assert not file.exists()


def test_versions_are_listed_newest_first_with_what_the_registry_knows(tmp_path: Path):
    first = a_model_version(shared_registry(), model="listed")
    second = a_model_version(shared_registry(), model="listed", baseline=b"", alias=None)

    listed = store(tmp_path, "listed").listed(20)

    assert [(one.version, one.aliases, one.baseline, one.compiled) for one in listed] == [
        (second, (), False, False),
        (first, ("champion",), True, False),
    ]
    assert all(one.created is not None for one in listed)


def test_a_version_with_an_alias_is_listed_however_old_it_is(tmp_path: Path):
    first = a_model_version(shared_registry(), model="aged")
    for _ in range(2):
        last = a_model_version(shared_registry(), model="aged", alias=None)

    assert [one.version for one in store(tmp_path, "aged").listed(1)] == [last, first]


def test_a_registry_that_does_not_answer_lists_nothing(tmp_path: Path):
    with pytest.raises(RegistryAway):
        store(tmp_path, "any", uri="http://127.0.0.1:1").listed(20)
