"""What kiln tells of itself (`GET /_kiln/metrics`), and differences of it."""
import collections
import urllib.request

from prometheus_client.parser import text_string_to_metric_families


def read(kiln):
    """All samples now: {name: {labels: value}}, labels as sorted pairs."""
    url = kiln.info["endpoint"] + "/_kiln/metrics"
    with urllib.request.urlopen(url, timeout=60) as page:
        text = page.read().decode()
    found = collections.defaultdict(dict)
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            found[sample.name][tuple(sorted(sample.labels.items()))] = sample.value
    return found


def total(samples, name, **labels):
    """The sum of a name's samples that carry these labels."""
    wanted = set(labels.items())
    return sum(value for having, value in samples[name].items() if wanted <= set(having))
