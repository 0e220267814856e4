// A role assumed with the AWS SDK for Go v2, and queues used with what it gives. Arguments: the broker's endpoint, the role's
// ARN, an external ID, a queue's URL. Prints who it is, whether it may send, and which error tells that it may not purge.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/credentials"
	"github.com/aws/aws-sdk-go-v2/credentials/stscreds"
	"github.com/aws/aws-sdk-go-v2/service/sqs"
	"github.com/aws/aws-sdk-go-v2/service/sts"
	"github.com/aws/smithy-go"
)

func main() {
	ctx := context.Background()
	endpoint, role, externalID, queue := aws.String(os.Args[1]), os.Args[2], aws.String(os.Args[3]), aws.String(os.Args[4])
	id, secret := os.Getenv("AWS_ACCESS_KEY_ID"), os.Getenv("AWS_SECRET_ACCESS_KEY")
	own := credentials.NewStaticCredentialsProvider(id, secret, "")
	asker := sts.New(sts.Options{BaseEndpoint: endpoint, Region: "eu-central-1", Credentials: own})
	assumed := aws.NewCredentialsCache(stscreds.NewAssumeRoleProvider(asker, role, func(o *stscreds.AssumeRoleOptions) {
		o.RoleSessionName = "gopher"
		o.ExternalID = externalID
	}))
	who, err := sts.New(sts.Options{BaseEndpoint: endpoint, Region: "eu-central-1", Credentials: assumed}).
		GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
	if err != nil {
		fmt.Println(codeOf(err))
		return
	}
	fmt.Println(*who.Arn)
	queues := sqs.New(sqs.Options{BaseEndpoint: endpoint, Region: "us-east-1", Credentials: assumed})
	_, err = queues.SendMessage(ctx, &sqs.SendMessageInput{QueueUrl: queue, MessageBody: aws.String("from Go")})
	fmt.Println(codeOf(err))
	_, err = queues.PurgeQueue(ctx, &sqs.PurgeQueueInput{QueueUrl: queue})
	fmt.Println(codeOf(err))
}

func codeOf(err error) string {
	if err == nil {
		return "ok"
	}
	var api smithy.APIError
	if errors.As(err, &api) {
		return api.ErrorCode()
	}
	return err.Error()
}
