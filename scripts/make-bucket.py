# LocalStack runs this by itself when it is ready (docker-compose.yml puts it into its folder of init hooks): it makes the bucket
# that BUCKET names, with the lifecycle rules that README asks of every bucket. A second run changes nothing.
import os

import boto3

bucket = os.environ["BUCKET"]
s3 = boto3.client(
    "s3",
    endpoint_url="http://" + os.environ.get("GATEWAY_LISTEN", "127.0.0.1:4566").replace("0.0.0.0", "127.0.0.1"),
    region_name="us-east-1",
    aws_access_key_id="test",
    aws_secret_access_key="test",
)
s3.create_bucket(Bucket=bucket)
s3.put_bucket_lifecycle_configuration(
    Bucket=bucket,
    LifecycleConfiguration={
        "Rules": [
            {
                "ID": "abort-unfinished-uploads",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 7},
            },
            # Files live 90 days at most, and Logferry deletes them: this is for those that it could not.
            {
                "ID": "expire-forgotten-files",
                "Status": "Enabled",
                "Filter": {"Prefix": ""},
                "Expiration": {"Days": 97},
            },
        ]
    },
)
