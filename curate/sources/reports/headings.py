"""The headings of reports, in the languages that are read, and the names of the sections that they begin."""

from __future__ import annotations

# canonical name -> the headings that mean it, lower case without accents
HEADINGS = {
    "exam": "exam|examination|examination performed|exam type|study|procedure|procedures|type of exam|"
    "untersuchung|examen",
    "indication": "indication|indications|clinical indication|clinical indications|history|clinical history|"
    "patient history|history of present illness|brief history|clinical information|clinical data|clinical details|"
    "clinical question|clinical statement|clinical background|reason|reason for exam|reason for examination|"
    "reason for the exam|reason for the examination|reason for study|reason for this study|reason for test|"
    "indication for study|indication for exam|"
    "reason for request|reason for visit|symptoms|presenting complaint|"
    "indicacion|indicaciones|motivo de consulta|motivo de la consulta|motivo de ingreso|motivo del estudio|"
    "motivo del examen|antecedentes|datos clinicos|informacion clinica|historia clinica|historia actual|"
    "indikation|rechtfertigende indikation|klinische angaben|klinische angabe|klinik|anamnese|fragestellung|"
    "klinische fragestellung|renseignements cliniques|motif|motif de l'examen|contexte clinique|"
    "検査目的|依頼目的|臨床情報|臨床診断|主訴|既往歴",
    "technique": "technique|techniques|protocol|methods|method|examination technique|scan technique|contrast|"
    "imaging technique|procedure details|tecnica|tecnica de exploracion|protocolo|technik|methode|"
    "untersuchungstechnik|protocole|検査方法|撮影方法|検査条件|検査条件・使用機器|撮像シーケンス",
    "comparison": "comparison|comparisons|comparison study|comparison studies|compared to|prior|prior study|"
    "prior studies|prior exam|prior exams|previous study|previous studies|previous exam|"
    "comparacion|estudio previo|estudios previos|vergleich|voraufnahme|voraufnahmen|voruntersuchung|"
    "voruntersuchungen|comparaison|examen anterieur|examens anterieurs|比較|前回比較|前回検査との比較",
    "findings": "finding|findings|report|result|results|observation|observations|description|radiological findings|"
    "imaging findings|findings and impression|findings/impression|findings / impression|findings & impression|"
    "hallazgo|hallazgos|resultado|resultados|descripcion|informe|informe radiologico|"
    "befund|befunde|befundung|resultat|resultats|constatations|所見|画像所見|検査所見|血管造影所見",
    "impression": "impression|impressions|final impression|conclusion|conclusions|opinion|summary|interpretation|"
    "diagnosis|final diagnosis|radiological diagnosis|diagnostic impression|assessment|"
    "impression and recommendation|impression and recommendations|impression/recommendation|"
    "impression/recommendations|impresion|impresion diagnostica|impresion radiologica|conclusiones|diagnostico|"
    "juicio diagnostico|diagnostico principal|beurteilung|zusammenfassung|diagnose|diagnostic|synthese|"
    "診断|画像診断|印象|結論",
    "recommendation": "recommendation|recommendations|recommended follow up|recommended follow-up|follow up|follow-up|"
    "advice|recomendacion|recomendaciones|empfehlung|empfehlungen|procedere|recommandation|recommandations|推奨|推奨事項",
    "addendum": "addendum|addenda|addendum report|adenda|nachtrag|追記",
    "signature": "signature|signed by|electronically signed by|dictated by|interpreted by|reported by|read by|"
    "transcribed by|verified by|approved by|attending|attending radiologist|radiologist|radiologo|firma|firmado|"
    "firmado por|unterschrift|radiologue|dictated but not read|読影医|報告者",
    "notification": "notification|communication|critical result|critical results|critical findings|wet read|"
    "preliminary read",
    "other": "patient|patient name|name|patient id|mrn|medical record number|accession|accession number|accession no|"
    "date of birth|dob|date of exam|exam date|study date|date of service|referring physician|ordering physician|"
    "requesting physician|referring provider|ordering provider|cc|nombre|apellidos|nhc|nass|cipa|domicilio|"
    "fecha de nacimiento|fecha de ingreso|medico|remitido por|patientenname|geburtsdatum|uberweiser|"
    "nom|prenom|date de naissance|氏名|患者名|患者id|生年月日|住所|電話|検査依頼医",
    "body": "final report|preliminary report|body",
}  # fmt: skip
SECTIONS = (*(n for n in HEADINGS if n != "body"), "body")
