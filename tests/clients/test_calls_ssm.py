"""Parameter Store's calls by boto3, each at least once. Durability and secrets are in test_parameters.py."""

from calls import Calls


class Ssm(Calls):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.ssm = cls.kiln.client("ssm")

    def test_a_parameter(self):
        ssm = self.ssm
        ssm.put_parameter(Name="/shop/url", Value="one", Type="String", Tags=[{"Key": "a", "Value": "1"}])
        self.assertEqual(self.refused(ssm.put_parameter, Name="/shop/url", Value="two"), "ParameterAlreadyExists")
        self.assertEqual(ssm.put_parameter(Name="/shop/url", Value="two", Overwrite=True)["Version"], 2)
        history = ssm.get_parameter_history(Name="/shop/url")["Parameters"]
        self.assertEqual([(each["Version"], each["Value"]) for each in history], [(1, "one"), (2, "two")])
        self.assertEqual(ssm.label_parameter_version(Name="/shop/url", ParameterVersion=1, Labels=["live"])["InvalidLabels"], [])
        self.assertEqual(ssm.get_parameter(Name="/shop/url:live")["Parameter"]["Value"], "one")
        self.assertEqual(ssm.get_parameter(Name="/shop/url:2")["Parameter"]["Value"], "two")
        gone = ssm.unlabel_parameter_version(Name="/shop/url", ParameterVersion=1, Labels=["live", "none"])
        self.assertEqual((gone["RemovedLabels"], gone["InvalidLabels"]), (["live"], ["none"]))
        self.assertEqual(self.refused(ssm.get_parameter, Name="/shop/url:live"), "ParameterVersionNotFound")

        which = {"ResourceType": "Parameter", "ResourceId": "/shop/url"}
        ssm.add_tags_to_resource(**which, Tags=[{"Key": "b", "Value": "2"}])
        ssm.remove_tags_from_resource(**which, TagKeys=["a"])
        self.assertEqual(ssm.list_tags_for_resource(**which)["TagList"], [{"Key": "b", "Value": "2"}])
        ssm.put_parameter(Name="/shop/names", Value="a,b", Type="StringList")
        found = ssm.get_parameters(Names=["/shop/url", "/shop/names", "/shop/none"])
        self.assertEqual((sorted(each["Name"] for each in found["Parameters"]), found["InvalidParameters"]), (["/shop/names", "/shop/url"], ["/shop/none"]))
        below = ssm.get_parameters_by_path(Path="/shop", WithDecryption=False)["Parameters"]
        self.assertEqual(sorted(each["Name"] for each in below), ["/shop/names", "/shop/url"])
        lists = ssm.describe_parameters(ParameterFilters=[{"Key": "Type", "Values": ["StringList"]}])["Parameters"]
        self.assertEqual([each["Name"] for each in lists], ["/shop/names"])
        ssm.delete_parameter(Name="/shop/names")
        self.assertEqual(self.refused(ssm.delete_parameter, Name="/shop/names"), "ParameterNotFound")
        gone = ssm.delete_parameters(Names=["/shop/url", "/shop/names"])
        self.assertEqual((gone["DeletedParameters"], gone["InvalidParameters"]), (["/shop/url"], ["/shop/names"]))
        self.assertEqual(self.refused(ssm.get_parameter_history, Name="/shop/url"), "ParameterNotFound")
