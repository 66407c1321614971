{{/* What the operator may do in a namespace whose SplatJobs it runs. */}}
{{- define "splatworks.jobRules" -}}
- apiGroups: [splatworks.dev]
  resources: [splatjobs]
  verbs: [get, list, watch, patch, delete]
- apiGroups: [splatworks.dev]
  resources: [splatjobs/status]
  verbs: [patch]
- apiGroups: [""]
  resources: [events]
  verbs: [create]
{{- with .Values.operator.sourceSecrets }}
- apiGroups: [""]
  resources: [secrets]
  resourceNames: {{ toJson . }}
  verbs: [get]
{{- end }}
{{- end -}}
