"""What was put survives kill -9 in the middle: every value that was acknowledged is told after the next start, once."""
import datetime
import threading
import unittest

import botocore.exceptions

from kiln import Kiln

SERVICES = "cloudwatch"


class Points(unittest.TestCase):
    def test_nothing_acknowledged_is_lost(self):
        start = datetime.datetime.now(datetime.timezone.utc).replace(second=0, microsecond=0) - datetime.timedelta(hours=2)
        with Kiln() as kiln:
            kept, begun = [0] * 4, [0] * 4
            for round in range(5):
                stop = threading.Event()

                def put(n):
                    cw = kiln.client("cloudwatch")
                    while not stop.is_set():
                        data = [{"MetricName": "m%d" % n, "Value": 1, "Timestamp": start + datetime.timedelta(seconds=k)} for k in range(100)]
                        begun[n] += 1
                        try:
                            cw.put_metric_data(Namespace="kill", MetricData=data)
                        except (botocore.exceptions.BotoCoreError, botocore.exceptions.ClientError):
                            return
                        kept[n] += 1

                threads = [threading.Thread(target=put, args=(n,)) for n in range(4)]
                for thread in threads:
                    thread.start()
                # Long enough for some hundred calls, and different each time.
                stop.wait(0.3 + round / 7)
                kiln.kill()
                stop.set()
                for thread in threads:
                    thread.join()
                kiln.start()
                cw = kiln.client("cloudwatch")
                for n in range(4):
                    found = cw.get_metric_statistics(Namespace="kill", MetricName="m%d" % n, StartTime=start, EndTime=start + datetime.timedelta(hours=1), Period=3600, Statistics=["Sum"])["Datapoints"]
                    there = sum(point["Sum"] for point in found)
                    self.assertGreaterEqual(there, 100 * kept[n])
                    # One that was under way may be there, whole.
                    self.assertLessEqual(there, 100 * begun[n])
                    self.assertEqual(there % 100, 0)
                    kept[n] = int(there) // 100
            self.assertGreater(min(kept), 10)


if __name__ == "__main__":
    unittest.main()
