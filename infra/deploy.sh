#!/usr/bin/env bash
# Deploys this release of Snapferry, or updates to it: uploads the zips, and creates or updates both stacks.
# It needs the AWS CLI and nothing else. To roll back, run it from the folder of the release before.
set -euo pipefail

here=$(cd "$(dirname "$0")" && pwd)
release=$(cat "$here/RELEASE")
stack=snapferry watch_stack=snapferry-watch region='' destination='' key='' selection='' email='' dry_run=''
bucket='' destination_bucket='' watch=yes ask=yes email_given=no
parameters=() watch_parameters=() tags=()

usage() {
  cat <<EXAMPLES
Deploys Snapferry $release, or updates to it, from this folder.

usage: deploy.sh [options]

It asks for what is not given, checks all of it, shows what it will do, and writes nothing before you say yes.

  --region REGION               region of the databases [that of your AWS configuration]
  --destination-region REGION   region of the copies
  --key KEY                     KMS key in that region: ARN, id, alias/name, or the ARN of an alias
  --selection opt-out|opt-in    copy every database but those tagged snapferry:copy=false, or only those tagged
                                snapferry:copy=true [opt-out]
  --email ADDRESS               who gets alarms and failures; '' for nobody
  --dry-run true|false          report only, change nothing [true for a first deployment]

An update keeps what is not given. Further options, for which it never asks:

  --stack NAME                  stack in the region of the databases [snapferry]
  --watch-stack NAME            stack in the region of the copies [snapferry-watch]
  --no-watch                    without the stack in the region of the copies
  --bucket NAME                 where the zips go, in the region of the databases; it has to exist
                                [snapferry-ACCOUNT-REGION, which is made]
  --destination-bucket NAME     the same in the region of the copies
  --parameter NAME=VALUE        another parameter of the stack; repeatable
  --watch-parameter NAME=VALUE  another parameter of the stack in the region of the copies; repeatable
  --tag NAME=VALUE              a tag of both stacks and of all that they hold; repeatable, and with one of them all
                                have to be given
  --yes                         ask nothing
  --help

examples:
  ./deploy.sh
      asks for everything
  ./deploy.sh --region eu-west-1 --destination-region eu-central-1 --key alias/copies --email ops@example.com --yes
      the same without questions; it starts as a dry run
  ./deploy.sh --dry-run false --yes
      from now on it copies
  ../snapferry-0.1.0/deploy.sh --yes
      back to that release
  ./deploy.sh --parameter KeepCopies=7 --parameter RolePath=/backup/ --watch-parameter RolePath=/backup/
      with other parameters (docs/parameters.md)
EXAMPLES
}

refuse() { # What is wrong, before anything was written. What the AWS CLI says begins with an empty line.
  echo "deploy.sh: $*" | tr -s '[:space:]' ' ' >&2
  echo >&2
  exit 2
}

fail() {
  echo "deploy.sh: $*" >&2
  exit 1
}

while [ $# -gt 0 ]; do
  option=$1
  case $option in
    --help | -h) usage; exit 0 ;;
    --yes) ask=no; shift; continue ;;
    --no-watch) watch=no; shift; continue ;;
    --*=*) value=${option#*=}; option=${option%%=*}; shift ;;
    *) [ $# -gt 1 ] || refuse "$option: it is unknown, or has no value; --help lists the options"; value=$2; shift 2 ;;
  esac
  case $option in
    --region) region=$value ;;
    --destination-region) destination=$value ;;
    --key) key=$value ;;
    --selection) selection=$value ;;
    --email) email=$value email_given=yes ;;
    --dry-run) dry_run=$value ;;
    --stack) stack=$value ;;
    --watch-stack) watch_stack=$value ;;
    --bucket) bucket=$value ;;
    --destination-bucket) destination_bucket=$value ;;
    --parameter) parameters+=("$value") ;;
    --watch-parameter) watch_parameters+=("$value") ;;
    --tag) [[ $value == ?*=* ]] || refuse "'$value' is not a tag: write it as NAME=VALUE"; tags+=("$value") ;;
    *) refuse "$option is unknown; --help lists the options" ;;
  esac
done
[ "$ask" = no ] || [ -t 0 ] || refuse "there is no terminal to ask: give the options and --yes"

# ---------------------------------------------------------------- what is there

command -v aws >/dev/null || refuse "the AWS CLI is not installed: https://docs.aws.amazon.com/cli/"
if command -v sha256sum >/dev/null; then sums=(sha256sum); else sums=(shasum -a 256); fi
(cd "$here" && "${sums[@]}" --check SHA256SUMS >/dev/null 2>&1) ||
  refuse "the files in $here are not those of the release (SHA256SUMS): download and unpack it again"
# Other zips have another name, so that CloudFormation notices them.
prefix="snapferry/${release//+/-}-$("${sums[@]}" "$here/SHA256SUMS" | cut -c 1-12)/"

said=$(aws sts get-caller-identity --query '[Account, Arn]' --output text 2>&1) ||
  refuse "AWS does not accept your credentials: $said"
account=${said%%[[:space:]]*}
[ -n "$region" ] || region=${AWS_REGION:-${AWS_DEFAULT_REGION:-$(aws configure get region || true)}}

question() { # Sets a variable to the answer, or where nothing is asked or answered to what is proposed.
  local variable=$1 text=$2 proposed=$3 answer=''
  if [ "$ask" = yes ]; then
    read -r -p "$text${proposed:+ [$proposed]}: " answer
  fi
  printf -v "$variable" '%s' "${answer:-$proposed}"
}

stack_says() { # A part of a stack, as a JMESPath query; nothing where there is no such stack.
  local found
  if found=$(aws cloudformation describe-stacks --region "$2" --stack-name "$1" --query "Stacks[0].$3" --output text 2>&1); then
    [ "$found" = None ] || echo "$found"
  elif [[ $found != *"does not exist"* ]]; then
    refuse "stack $1 in $2 cannot be read: $found"
  fi
}

parameter_of() { stack_says "$1" "$2" "Parameters[?ParameterKey=='$3'].ParameterValue | [0]"; }

is_region() { [[ $1 =~ ^[a-z]{2,}(-[a-z]+)+-[0-9]+$ ]]; }

question region "Region of the databases" "$region"
is_region "$region" || refuse "--region '$region' is not the code of a region, for example eu-west-1"
# All that it has to say in one call.
asked="StackStatus, Outputs[?OutputKey=='Release'].OutputValue | [0]"
for name in DestinationRegion DestinationKmsKey Selection DryRun NotificationEmail; do
  asked+=", Parameters[?ParameterKey=='$name'].ParameterValue | [0]"
done
said=$(stack_says "$stack" "$region" "[$asked] | map(&not_null(@, ''), @) | join('|', @)")
IFS='|' read -r status deployed old_destination old_key old_selection old_dry_run old_email <<<"$said"
destination=${destination:-$old_destination} key=${key:-$old_key}
selection=${selection:-$old_selection} dry_run=${dry_run:-$old_dry_run}
[ "$email_given" = yes ] || email=$old_email
question destination "Region of the copies" "$destination"
question key "KMS key in that region" "$key"
question selection "Copy every database (opt-out), or only those tagged snapferry:copy=true (opt-in)" "${selection:-opt-out}"
[ "$email_given" = yes ] || question email "E-mail for alarms and failures" "$email"
question dry_run "Dry run: report only, change nothing (true or false)" "${dry_run:-true}"

# ---------------------------------------------------------------- whether it is right

is_region "$destination" || refuse "--destination-region '$destination' is not the code of a region, for example eu-central-1"
[ "$region" != "$destination" ] || refuse "the databases and the copies are both in $region: a copy there is lost with it"
[[ $selection =~ ^opt-(in|out)$ ]] || refuse "--selection '$selection' is neither opt-out nor opt-in"
[[ $dry_run =~ ^(true|false)$ ]] || refuse "--dry-run '$dry_run' is neither true nor false"
[[ $email =~ ^([^@[:space:]]+@[^@[:space:]]+)?$ ]] || refuse "--email '$email' is not an address"
[ -n "$key" ] || refuse "--key is missing: a KMS key in $destination, for example alias/copies"
if [[ $key == arn:* && $key != arn:*:kms:"$destination":* ]]; then
  refuse "--key $key is not a KMS key in $destination. Copies are encrypted with a key of the region that they are in"
fi
said=$(aws kms describe-key --region "$destination" --key-id "$key" --output text \
  --query 'KeyMetadata.[KeyState, KeyUsage, KeyManager]' 2>&1) || refuse "--key $key cannot be used in $destination: $said"
read -r state usage manager <<<"$said"
[ "$state" = Enabled ] || refuse "--key $key is not enabled in $destination: it is $state"
[ "$usage" = ENCRYPT_DECRYPT ] || refuse "--key $key is for $usage, not for encryption"
[ "$manager" != AWS ] || echo "Note: $key is a key of AWS. Copies that are encrypted with it can never be shared with another account."

may_be_updated() { # Whether CloudFormation takes an update of this stack now.
  case $3 in
    # What is left of a deployment that was refused before it made anything.
    REVIEW_IN_PROGRESS) ;;
    *_IN_PROGRESS) refuse "stack $1 in $2 is $3: wait until that has ended" ;;
    ROLLBACK_COMPLETE | ROLLBACK_FAILED | *DELETE_FAILED | UPDATE_ROLLBACK_FAILED)
      refuse "stack $1 in $2 is $3, which CloudFormation does not update: see its events, and delete or repair it first" ;;
  esac
}
may_be_updated "$stack" "$region" "$status"
watch_status=''
if [ "$watch" = yes ]; then
  watch_status=$(stack_says "$watch_stack" "$destination" StackStatus)
  may_be_updated "$watch_stack" "$destination" "$watch_status"
fi

are_declared() { # Whether a template has these parameters.
  local template=$1 one declared
  shift
  declared=" $(sed -n '/^Parameters:/,/^Rules:/s/^  \([A-Za-z]*\):$/\1/p' "$here/$template" | tr '\n' ' ')"
  for one in "$@"; do
    [[ $one == *=* ]] || refuse "'$one' is not a parameter: write it as NAME=VALUE"
    [[ $declared == *" ${one%%=*} "* ]] || refuse "${one%%=*} is not a parameter of $template"
  done
}
are_declared snapferry.yaml ${parameters[@]+"${parameters[@]}"}
are_declared snapferry-watch.yaml ${watch_parameters[@]+"${watch_parameters[@]}"}

bucket_is() { # "there", "missing", or it is refused.
  local found
  if found=$(aws s3api get-bucket-location --region "$2" --bucket "$1" --expected-bucket-owner "$account" \
    --query LocationConstraint --output text 2>&1); then
    case $found in None) found=us-east-1 ;; EU) found=eu-west-1 ;; esac
    [ "$found" = "$2" ] || refuse "the bucket $1 is in $found, and Lambda takes code from its own region only: $2"
    echo there
  elif [[ $found == *NoSuchBucket* ]]; then
    [ "$3" = own ] || refuse "there is no bucket $1: make it in $2, or leave the option out"
    echo missing
  else
    refuse "the bucket $1 cannot be used: $found"
  fi
}
if [ -n "$bucket" ]; then whose=given; else bucket=snapferry-$account-$region whose=own; fi
bucket_state=$(bucket_is "$bucket" "$region" $whose)
if [ -n "$destination_bucket" ]; then whose=given; else destination_bucket=snapferry-$account-$destination whose=own; fi
destination_bucket_state=there
[ "$watch" = no ] || destination_bucket_state=$(bucket_is "$destination_bucket" "$destination" $whose)

what() { if [ -z "$2" ]; then echo "create stack $1"; else echo "update stack $1"; fi; }
cat <<PLAN

Snapferry $release, in account $account:
  $(what "$stack" "$status") in $region${deployed:+, which is $deployed now}
PLAN
[ "$watch" = no ] || echo "  $(what "$watch_stack" "$watch_status") in $destination"
[ "$bucket_state" = there ] || echo "  make the bucket $bucket in $region"
[ "$destination_bucket_state" = there ] || echo "  make the bucket $destination_bucket in $destination"
cat <<PLAN
  copies to $destination, encrypted with $key
  selection $selection, dry run $dry_run, e-mail ${email:-to nobody}

PLAN
if [ "$ask" = yes ]; then
  read -r -p "Deploy? [y/N] " answer
  [[ $answer =~ ^[yY](es)?$ ]] || fail "nothing was changed"
fi

# ---------------------------------------------------------------- from here on it writes

upload() { # The zips of a template to a bucket, which is made if need be.
  local template=$1 to=$2 in=$3 state=$4 zip zips=()
  if [ "$state" = missing ]; then
    local place=(--create-bucket-configuration "LocationConstraint=$in")
    [ "$in" != us-east-1 ] || place=()
    echo "Making the bucket $to"
    aws s3api create-bucket --region "$in" --bucket "$to" ${place[@]+"${place[@]}"} >/dev/null
    aws s3api put-public-access-block --region "$in" --bucket "$to" --expected-bucket-owner "$account" \
      --public-access-block-configuration \
      BlockPublicAcls=true,IgnorePublicAcls=true,BlockPublicPolicy=true,RestrictPublicBuckets=true
  fi
  for zip in $(sed -n 's/.*[$]{CodePrefix}\([a-z-]*\.zip\).*/\1/p' "$here/$template"); do
    zips+=(--include "$zip")
  done
  # Others have another name, so that those of the same size are the same.
  aws s3 sync "$here" "s3://$to/$prefix" --region "$in" --size-only --no-progress --exclude '*' "${zips[@]}"
}

deploy() { # A template as a stack, with what is given in place of what the stack has.
  local template=$1 name=$2 in=$3 code=$4
  shift 4
  aws cloudformation deploy --region "$in" --stack-name "$name" --template-file "$here/$template" \
    --s3-bucket "$code" --s3-prefix "${prefix%/}" --capabilities CAPABILITY_NAMED_IAM --no-fail-on-empty-changeset \
    ${tags[@]+--tags "${tags[@]}"} --parameter-overrides "CodeBucket=$code" "CodePrefix=$prefix" "$@" || {
    aws cloudformation describe-stack-events --region "$in" --stack-name "$name" --output text --query \
      "StackEvents[?contains(ResourceStatus, 'FAILED')].[LogicalResourceId, ResourceStatusReason]" 2>/dev/null | head -n 20 >&2 || true
    fail "stack $name in $in was not deployed; what failed is above. Run this again once it is repaired"
  }
}

echo "Uploading the zips to s3://$bucket/$prefix"
upload snapferry.yaml "$bucket" "$region" "$bucket_state"
echo "Deploying stack $stack in $region"
deploy snapferry.yaml "$stack" "$region" "$bucket" "DestinationRegion=$destination" "DestinationKmsKey=$key" \
  "Selection=$selection" "DryRun=$dry_run" "NotificationEmail=$email" ${parameters[@]+"${parameters[@]}"}
if [ "$watch" = yes ]; then
  owner=$(parameter_of "$stack" "$region" OwnerId)
  # Whoever gets the mail of that region may be somebody else by now.
  if [ -z "$watch_status" ] || [ "$email" != "$old_email" ]; then
    watch_parameters=("NotificationEmail=$email" ${watch_parameters[@]+"${watch_parameters[@]}"})
  fi
  echo "Uploading the zips to s3://$destination_bucket/$prefix"
  upload snapferry-watch.yaml "$destination_bucket" "$destination" "$destination_bucket_state"
  echo "Deploying stack $watch_stack in $destination"
  deploy snapferry-watch.yaml "$watch_stack" "$destination" "$destination_bucket" "SourceRegion=$region" \
    "OwnerId=$owner" ${watch_parameters[@]+"${watch_parameters[@]}"}
fi

echo
echo "Snapferry $release is deployed. Runs, in the console: $(stack_says "$stack" "$region" "Outputs[?OutputKey=='CopyFleetConsole'].OutputValue | [0]")"
[ -z "$email" ] || echo "Confirm the subscription in the mail that $email gets from each region."
if [ "$dry_run" = true ]; then
  echo "It is a dry run: see what it would do (snapferry plan --region $region --stack $stack), then run this again with --dry-run false."
fi
