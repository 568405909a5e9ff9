from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Histogram as Slow

from api.histograms import Histogram

BOUNDS = (0.001, 0.01, 1.0)
values = st.lists(st.sampled_from([0.0, 0.001, 0.0011, 0.01, 0.5, 1.0, 7.0]), min_size=1)


@given(st.dictionaries(st.sampled_from(["/predict", "other", 'with "quotes"']), values, max_size=3))
def test_a_page_is_the_one_that_prometheus_clients_own_histogram_gives(observed):
    registry, oracle = CollectorRegistry(), CollectorRegistry()
    ours = Histogram("h", "Text.", BOUNDS, ["route"])
    theirs = Slow("h", "Text.", ["route"], buckets=BOUNDS, registry=oracle)
    registry.register(ours)

    for route, seconds in observed.items():
        for value in seconds:
            ours.observe(value, route)
            theirs.labels(route).observe(value)

    # the other one also tells when it was made
    expected = [line for line in generate_latest(oracle).decode().splitlines() if "h_created" not in line]
    assert generate_latest(registry).decode().splitlines() == expected


def test_a_histogram_without_labels_is_there_from_the_start():
    registry = CollectorRegistry()
    registry.register(Histogram("h", "Text.", BOUNDS))

    assert registry.get_sample_value("h_count") == 0
