"""A search whose trials other processes do: the same trials, each once."""


def facts(tuned):
    return [{**vars(trial), "seconds": 0} for result in tuned for trial in result.trials]


def test_trials_by_several_jobs_are_those_of_one(search):
    # Beyond ten, proposals learn from the trials before.
    one, _ = search(["tunable", "picky"], 12, results="one")
    two, path = search(["tunable", "picky"], 12, results="two", jobs=2)
    assert facts(one) == facts(two)
    assert path.read_text() == (path.parents[1] / "one" / path.name).read_text()
    assert not list(path.parent.glob(".workers-*"))
    assert not list((path.parent / "tuning/locks").glob("*-[0-9]*.lock"))


def test_a_search_of_studies_by_workers_goes_on_where_it_stopped(search):
    few, _ = search(["tunable"], 2, results="two", jobs=2, studies=2)
    more, _ = search(["tunable"], 3, results="two", jobs=2, studies=2)
    alone, _ = search(["tunable"], 3, results="alone", studies=2)
    assert facts(more) == facts(alone)
    assert [each for each in facts(more) if each["number"] <= 2] == facts(few)
