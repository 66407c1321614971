{{/* The operator's configuration file; the model behind it is splatworks_operator/kube/config.py. */}}
{{- define "splatworks.operatorConfig" -}}
{{- $fullname := include "splatworks.fullname" . -}}
namespaces: {{ (include "splatworks.watchNamespaces" . | fromYaml).items | default list | toJson }}
workers:
  namespace: {{ .Release.Namespace }}
  port: 50051
  services:
    {{- range $component, $_ := include "splatworks.workers" . | fromYaml }}
    {{ $component }}: {{ $fullname }}-{{ $component }}
    {{- end }}
  tls:
    ca: /etc/splatworks/tls/ca.crt
    cert: /etc/splatworks/tls/tls.crt
    key: /etc/splatworks/tls/tls.key
buckets:
  {{- if .Values.operator.buckets }}
  {{- toYaml .Values.operator.buckets | nindent 2 }}
  {{- else }}
  - namespaces: ["*"]
    source: [{{ .Values.store.bucket | quote }}]
    output: [{{ .Values.store.bucket | quote }}]
  {{- end }}
sourceSecrets: {{ toJson .Values.operator.sourceSecrets }}
viewerBaseURL: {{ include "splatworks.viewerBaseURL" . | quote }}
health: {listen: "0.0.0.0:8080"}
metrics: {listen: "0.0.0.0:9090"}
lease:
  namespace: {{ .Release.Namespace }}
  name: {{ $fullname }}-operator
pollSeconds: {{ .Values.operator.pollSeconds }}
{{- end -}}
