{{/* Names, labels, and the fragments that more than one pod is made of. */}}

{{- define "splatworks.name" -}}
{{- default .Chart.Name .Values.nameOverride | trunc 48 | trimSuffix "-" -}}
{{- end -}}

{{/* The prefix of all names. 48 characters leave room for the longest suffix in a Service's 63. */}}
{{- define "splatworks.fullname" -}}
{{- if .Values.fullnameOverride -}}
{{- .Values.fullnameOverride | trunc 48 | trimSuffix "-" -}}
{{- else -}}
{{- $name := default .Chart.Name .Values.nameOverride -}}
{{- ternary .Release.Name (printf "%s-%s" .Release.Name $name) (contains $name .Release.Name) | trunc 48 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{/* What selectors use: never changes while a release lives. */}}
{{- define "splatworks.selectorLabels" -}}
app.kubernetes.io/name: {{ include "splatworks.name" . }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{/* Labels of an object. Takes (dict "root" $ "component" "sfm"); the component may be left out. */}}
{{- define "splatworks.labels" -}}
{{ include "splatworks.selectorLabels" .root }}
{{- with .component }}
app.kubernetes.io/component: {{ . }}
{{- end }}
app.kubernetes.io/part-of: splatworks
app.kubernetes.io/version: {{ .root.Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .root.Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .root.Chart.Name .root.Chart.Version | replace "+" "_" }}
{{- with .root.Values.commonLabels }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{/* The selector of one component's pods. Takes (dict "root" $ "component" "sfm"). */}}
{{- define "splatworks.componentSelector" -}}
{{ include "splatworks.selectorLabels" .root }}
app.kubernetes.io/component: {{ .component }}
{{- end -}}

{{/* Metadata of a namespaced object. Takes (dict "root" $ "component" "sfm" "name" "suffix"). */}}
{{- define "splatworks.metadata" -}}
name: {{ include "splatworks.fullname" .root }}-{{ .name }}
namespace: {{ .root.Release.Namespace }}
labels:
  {{- include "splatworks.labels" . | nindent 2 }}
{{- end -}}

{{/* An image. Takes (dict "root" $ "image" {repository, tag, digest} "repository" "the default one"). */}}
{{- define "splatworks.image" -}}
{{- $repository := default .repository .image.repository -}}
{{- with .root.Values.image.registry -}}{{- $repository = printf "%s/%s" (trimSuffix "/" .) $repository -}}{{- end -}}
{{- if .image.digest -}}
{{- printf "%s@%s" $repository .image.digest -}}
{{- else -}}
{{- printf "%s:%s" $repository (coalesce .image.tag .root.Values.image.tag .root.Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* The DNS name in a component's certificate; workers admit exactly the operator's. */}}
{{- define "splatworks.san" -}}
{{ include "splatworks.fullname" .root }}-{{ .component }}.{{ .root.Release.Namespace }}.svc
{{- end -}}

{{/* Further names in a component's certificate, as {"dns": [...], "ips": [...]}: people reach the embedded store through a
forwarded port of their machine. Takes the component. */}}
{{- define "splatworks.forwardedNames" -}}
{{- $forwarded := eq . "store" -}}
dns: {{ ternary (list "localhost") list $forwarded | toJson }}
ips: {{ ternary (list "127.0.0.1") list $forwarded | toJson }}
{{- end -}}

{{/* Every component with a certificate, as a comma-separated list. */}}
{{- define "splatworks.tlsComponents" -}}
sfm,trainer,compressor,streamer,operator{{ if eq .Values.store.mode "embedded" }},store{{ end }}
{{- end -}}

{{/* What the four workers differ in besides their values: the stage, and the gRPC service that readiness asks for. */}}
{{- define "splatworks.workers" -}}
sfm: {stage: sfm, grpcService: splatworks.v1.SfmService}
trainer: {stage: train, grpcService: splatworks.v1.TrainerService}
compressor: {stage: compress, grpcService: splatworks.v1.CompressorService}
streamer: {stage: publish, grpcService: splatworks.v1.StreamerService}
{{- end -}}

{{/* A worker's values: its own over the common ones. Takes (dict "root" $ "component" "sfm"). */}}
{{- define "splatworks.workerValues" -}}
{{- mergeOverwrite (deepCopy .root.Values.worker) (index .root.Values .component) | toYaml -}}
{{- end -}}

{{/* The priority class of a pod. Takes (dict "root" $ "own" "what the values say" "class" "control" or "batch"). */}}
{{- define "splatworks.priorityClassName" -}}
{{- if .own -}}
{{- .own -}}
{{- else if .root.Values.priorityClasses.create -}}
{{- include "splatworks.fullname" .root }}-{{ .class -}}
{{- end -}}
{{- end -}}

{{/* Pod fields that make a pod "restricted". */}}
{{- define "splatworks.podSecurity" -}}
enableServiceLinks: false
securityContext:
  runAsNonRoot: true
  runAsUser: 10001
  runAsGroup: 10001
  fsGroup: 10001
  fsGroupChangePolicy: OnRootMismatch
  seccompProfile: {type: RuntimeDefault}
{{- with .Values.imagePullSecrets }}
imagePullSecrets: {{ toYaml . | nindent 2 }}
{{- end }}
{{- end -}}

{{/* What every container has: the fields that make it "restricted", and, where it fails, its last words in its status,
since its log may be gone by then. */}}
{{- define "splatworks.containerDefaults" -}}
terminationMessagePolicy: FallbackToLogsOnError
securityContext:
  allowPrivilegeEscalation: false
  readOnlyRootFilesystem: true
  capabilities: {drop: [ALL]}
{{- end -}}

{{/* Secret with the store's keys. */}}
{{- define "splatworks.storeSecret" -}}
{{- default (printf "%s-store-keys" (include "splatworks.fullname" .)) .Values.store.existingSecret -}}
{{- end -}}

{{- define "splatworks.storeURL" -}}
{{- if eq .Values.store.mode "embedded" -}}
https://{{ include "splatworks.san" (dict "root" . "component" "store") }}:8333
{{- else -}}
{{- trimSuffix "/" .Values.store.external.url -}}
{{- end -}}
{{- end -}}

{{/* Port of an external store. */}}
{{- define "splatworks.storePort" -}}
{{- $url := urlParse .Values.store.external.url -}}
{{- default (ternary "443" "80" (eq $url.scheme "https")) (regexFind "[0-9]+$" (regexFind ":[0-9]+$" $url.host)) -}}
{{- end -}}

{{/* Environment of everything that talks to the store; keys are files, never variables. */}}
{{- define "splatworks.storeEnv" -}}
- name: SPLATWORKS_STORE_URL
  value: {{ include "splatworks.storeURL" . }}
- name: SPLATWORKS_STORE_BUCKET
  value: {{ .Values.store.bucket | quote }}
- name: SPLATWORKS_STORE_ACCESS_KEY_FILE
  value: /etc/splatworks/store/access-key
- name: SPLATWORKS_STORE_SECRET_KEY_FILE
  value: /etc/splatworks/store/secret-key
{{- if eq .Values.store.mode "embedded" }}
- name: SPLATWORKS_STORE_CA_FILE
  value: /etc/splatworks/tls/ca.crt
{{- else }}
- name: SPLATWORKS_STORE_REGION
  value: {{ .Values.store.external.region | quote }}
{{- with .Values.store.external.sse }}
- name: SPLATWORKS_STORE_SSE
  value: {{ . | quote }}
{{- end }}
{{- if .Values.store.external.caSecret }}
- name: SPLATWORKS_STORE_CA_FILE
  value: /etc/splatworks/store-ca/ca.crt
{{- end }}
{{- end }}
{{- end -}}

{{/* Mounts of the store's keys and CA. */}}
{{- define "splatworks.storeMounts" -}}
- {name: store-keys, mountPath: /etc/splatworks/store, readOnly: true}
{{- if and (eq .Values.store.mode "external") .Values.store.external.caSecret }}
- {name: store-ca, mountPath: /etc/splatworks/store-ca, readOnly: true}
{{- end }}
{{- end -}}

{{- define "splatworks.storeVolumes" -}}
- name: store-keys
  secret:
    secretName: {{ include "splatworks.storeSecret" . }}
    defaultMode: 0440
    items:
      - {key: access-key, path: access-key}
      - {key: secret-key, path: secret-key}
{{- if and (eq .Values.store.mode "external") .Values.store.external.caSecret }}
- name: store-ca
  secret:
    secretName: {{ .Values.store.external.caSecret }}
    defaultMode: 0440
    items:
      - {key: ca.crt, path: ca.crt}
{{- end }}
{{- end -}}

{{/* The volume with a component's certificate. Takes (dict "root" $ "component" "sfm"). */}}
{{- define "splatworks.tlsVolume" -}}
- name: tls
  secret:
    secretName: {{ include "splatworks.fullname" .root }}-{{ .component }}-tls
    defaultMode: 0440
{{- end -}}

{{/* The volume that lets a client without a certificate of its own trust the embedded store. */}}
{{- define "splatworks.caVolume" -}}
- name: tls
  secret:
    secretName: {{ include "splatworks.fullname" . }}-store-tls
    defaultMode: 0440
    items:
      - {key: ca.crt, path: ca.crt}
{{- end -}}

{{/* Namespaces whose SplatJobs are run, as {"items": [...]}; empty items mean all. */}}
{{- define "splatworks.watchNamespaces" -}}
items:
  {{- range .Values.operator.watchNamespaces }}
  - {{ tpl . $ }}
  {{- end }}
{{- end -}}

{{/* Where people reach the pages; empty where nobody said. */}}
{{- define "splatworks.viewerBaseURL" -}}
{{- if .Values.operator.viewerBaseURL -}}
{{- trimSuffix "/" .Values.operator.viewerBaseURL -}}
{{- else if .Values.streamer.ingress.enabled -}}
{{- ternary "https" "http" (ne .Values.streamer.ingress.tlsSecret "") }}://{{ first .Values.streamer.ingress.hosts -}}
{{- end -}}
{{- end -}}
