# SPDX-License-Identifier: Apache-2.0
"""The few REST calls a soak makes, on Python's own library."""

import json
import ssl
import time
import urllib.parse
import urllib.request


class Rest:
    """One operator's session with the control plane that an endpoints.json names."""

    def __init__(self, endpoints_file):
        with open(endpoints_file, encoding="utf-8") as file:
            self.endpoints = json.load(file)
        self.context = ssl.create_default_context(cafile=self.endpoints["ca_file"])
        self.token = None
        form = urllib.parse.urlencode({"grant_type": "urn:ibm:params:oauth:grant-type:apikey",
                                       "apikey": self.endpoints["operator_api_key"]})
        self.token = self.send("POST", "/identity/token", form.encode(),
                               "application/x-www-form-urlencoded")["access_token"]

    def send(self, method, path, body=None, content_type="application/json"):
        request = urllib.request.Request(self.endpoints["controlplane_url"] + path, data=body, method=method)
        if body is not None:
            request.add_header("Content-Type", content_type)
        if self.token:
            request.add_header("Authorization", "Bearer " + self.token)
        with urllib.request.urlopen(request, context=self.context, timeout=15) as answer:
            text = answer.read()
        return json.loads(text) if text else None

    def create_instance(self, plan, name):
        body = {"name": name, "target": self.endpoints["target"], "resource_plan_id": self.endpoints["plans"][plan],
                "resource_group": self.endpoints["resource_group_id"]}
        instance = self.send("POST", "/v2/resource_instances", json.dumps(body).encode())
        deadline = time.monotonic() + 60
        while instance["state"] != "active":
            if time.monotonic() > deadline:
                raise TimeoutError(f"instance {name} is {instance['state']} after 60 s")
            time.sleep(0.2)
            instance = self.send("GET", "/v2/resource_instances/" + instance["guid"])
        return instance

    def create_key(self, guid, name):
        body = {"name": name, "source": guid, "role": "Manager"}
        return self.send("POST", "/v2/resource_keys", json.dumps(body).encode())["credentials"]
