"""What words of an instruction are about, in several languages: classes of word beginnings, chosen by us.

A word belongs to the class of its longest listed beginning; scripts without spaces are searched for the listed
strings. Letters stand here as `words` gives them: lower case, without accents.
"""

# ruff: noqa: E501 - a class a line; other scripts; words read best as words

from __future__ import annotations

BEGINNINGS: dict[str, tuple[str, ...]] = {
    name: tuple(words.split())
    for name, words in {
        "drop": "ignor disregard forget overlook neglect omit skip discard abandon drop dismiss unlearn erase wipe delete negat nullif void cancel suspend "
        "vergiss vergess missacht ubergeh verwirf verwerf loesch losch "
        "oubli desobei abandonn laisse olvid desatiend omite descart dimentic tralasci scorda esquec descons "
        "negeer vergeet zignoruj zapomnij pomin zanedbej zapomen игнорир забуд отброс пренебре unut yoksay gormezden glom lupakan abaikan",
        "break": "deviate detach transcend sidestep suspend elude abweich lose setze contourne detache libere suspend libera liberat contorn bypass overrid circumvent evad overcom disabl deactivat unlock remov lift disobey violat break breach escap jailbreak hack exploit transcend defy "
        "umgeh deaktivier aufheb brich ausser uberschreib contourn desactiv outrepass enfrein debloqu defie anul saltat rompe elud evit elimin "
        "aggir disattiv infrang viol burla quebr omzeil uitschakel obejdz wylacz обойд отключ обход сними снять devre bypassa",
        "before": "underlying base core root guiding fundamental foundational standard usual grund basis kern standard ublich habituel habitual abitual habituais depart partida partenza principal previous prior earlier above preceding foregoing initial original first beginning before existing current past former preset default built programmed "
        "vorherig vorhin bisherig obig fruher ursprunglich anfang vorangegangen precedent anterieur initial dessus prealable ci-dessus "
        "anterior previ arriba inicial primer precedente sopra iniziale acima vorige eerdere bovenstaand oorspronkelijk poprzedni wczesniejsz powyzsz "
        "предыдущ прежн выше первонач изначальн onceki yukaridaki ilk sebelum predchoz tidigare ovan",
        "rules": "algorithm procedure mechanism safety function algorithme algoritm protokoll protocole protocolo prinzip grundsatz principe principio principi ethisch etic instruction rule guideline directive command constraint restriction limitation policy policies safeguard guardrail filter protocol regulation parameter programming "
        "training boundar censorship safety ethic moral principle alignment content-polic limits "
        "anweisung regel richtlinie vorgabe befehl beschrank einschrank instruktion sicherheits programmierung vorschrift "
        "regle consigne contrainte restriction limite directives ordre programmation instruccion regla norma restriccion directriz limitacion orden "
        "istruzion regol direttiv restrizion vincol instruc instruco regras diretriz restric ordens "
        "instructies regels richtlijn beperking opdracht instrukcj regul polecen zasad ogranicz wytyczn "
        "инструкц правил ограничен указан команд директив talimat kural kisit yonerge instruksi aturan perintah instrukc pravidl regler instruktion",
        "prompt": "prompt systemprompt preprompt metaprompt system-prompt pre-prompt context configuration config preamble initialization initialisation setup backend "
        "systemnachricht systemanweisung промпт sistemprompt",
        "model": "ai ki ia assistant chatbot bot llm gpt chatgpt claude gemini llama bard copilot model openai anthropic machine assistent asistente assistente modell modele modelo modello "
        "asystent ассистент модел нейросет искусствен asistan yapay",
        "reveal": "reveal show print display output repeat recite disclose expose leak share dump echo tell spell regurgitat divulge unveil copy paste quote reproduce restate recall verbatim "
        "zeig verrat wiederhol nenn offenbar enthull gib sag ausgeb druck "
        "montre revele repete affiche divulgue dis donne imprime dime muestra revela repite imprime ensena cuenta divulga comparte "
        "mostra rivel ripeti stampa dimmi diga repita exiba conte toon onthul herhaal vertel pokaz ujawnij powtorz wyswietl podaj "
        "покажи раскро повтори выведи назови скажи расскаж goster acikla tekrarla soyle tampilkan ungkapkan ulangi beritahu",
        "secret": "secret hidden confidential private internal password passphrase passcode flag credential proprietary classified undisclosed concealed "
        "geheim passwort verborgen vertraulich versteckt intern motdepasse cache confidentiel "
        "secreto secreta oculto contrasena clave confidencial segreto segreta nascost parola password senha oculta secreta segredo "
        "wachtwoord verborgen geheime haslo tajn ukryt пароль секрет скрыт тайн конфиденц sifre gizli parola rahasia sandi heslo",
        "persona": "pretend roleplay role-play act acting simulate imagine impersonat persona character alter-ego become embody portray imitate transform assume "
        "spiel stell benimm verhalte tu schlupf rolle joue imagine incarne comporte fais simule pretends actua finge imagina interpreta simula comportate "
        "recita fingi agisci interpreta comportati aja finja atue doe speel gedraag udawaj zachowuj wciel wyobraz "
        "притворись представь сыграй веди роль davran rol canlandir hayal berpura bertindak",
        "fiction": "hypothetical fictional fiction scenario story novel game movie dream parallel universe fiktiv geschichte histoire fictif historia ficcion storia historia opowiad вымышлен истори hikaye cerita",
        "free": "unrestricted uncensored unfiltered unlimited unbound unchained unmoderated unethical amoral immoral illegal unlawful limitless lawless anything freely evil liberated freed rogue "
        "uneingeschrankt unzensiert ungefiltert illegal frei illimite censure libre sansfiltre "
        "irrestricto ilimitado censura libremente libero illimitato senza sem livre onbeperkt ongecensureerd nieograniczon bez "
        "неогранич цензур свободн sinirsiz sansursuz kisitlamasiz bebas",
        "dan": "dan stan aim dude jailbroken devmode developer-mode godmode maximum opposite evilbot jailbreak",
        "refuse": "refuse refusal decline apologi apology sorry cannot can't unable disclaimer warning caveat moralize lecture deny reject "
        "weiger ablehn entschuldig warnhinweis refuse excuse avertissement rechaz niegue disculp advertencia rifiut scus recus desculp "
        "weiger odmaw przepros отказ извин reddet ozur",
        "harm": "bomb explosive weapon drug meth cocaine malware virus ransomware keylogger phishing steal kill murder poison hack counterfeit launder fraud hotwire napalm torture suicide racist bioweapon "
        "bombe waffe droge gift hacken arme drogue piratage arma droga veneno hackear bomba "
        "оруж бомб наркот взлом silah bomba uyusturucu",
        "authority": "admin administrator developer root sudo superuser creator engineer owner operator maintainer ceo authorized authorised clearance debug maintenance diagnostic override-code privileged "
        "entwickler wartung befugt developpeur administrateur createur autorise desarrollador creador autorizado sviluppatore autorizzato desenvolvedor "
        "ontwikkelaar beheerder tworca разработчик админ gelistirici yonetici pengembang",
        "now": "now instead henceforth onwards new next following starting from-now-on anymore longer "
        "jetzt stattdessen fortan ab nun neue maintenant desormais plutot dorenavant nouvelle nouvelles ahora adelante nuevo nueva nuevas "
        "adesso invece ora nuovo nuove agora novas vez nu voortaan nieuwe teraz odtad nowe теперь вместо нов отныне simdi artik yeni sekarang baru",
        "obey": "obey follow comply adhere execute perform answer respond reply say write output must always never only exactly without "
        "folge befolge gehorch antworte antwort schreib sage fuhre suis obeis reponds reponse ecris execute "
        "sigue obedece responde ejecuta escribe contesta segui obbedisci rispondi scrivi esegui siga obedeca responda escreva "
        "volg gehoorzaam antwoord schrijf wykonaj odpowiedz napisz sluchaj следуй выполн ответ напиши подчин izle uy cevapla yaz jawab ikuti tulis",
        "you": "you your yours yourself u ur du dein deine deinen deiner dir dich ihr euch ihre tu ton ta tes te vous votre vos toi usted tus tuyo tuya ti su sus tuo tua tuoi tue vostro "
        "voce seu sua seus suas jij je jouw jullie ty twoj twoje twoja ciebie ci ты тебе твои твой твоя вы ваш вам sen senin sana siz anda kamu",
        "me": "i me my mine myself ich mir mich mein moi je mon yo mi mio me ik mij ja mi mnie я мне мой мои ben bana saya",
        "all": "all every everything any anything entire whole complete full alle alles samtliche jegliche tout toutes tous todo todas todos tutto tutte tutti todas tudo alles wszystk все всё всех tum hepsi semua",
        "topic": "email essay poem recipe code function python javascript java bug file files commit git css html sql database table query article book movie film song lyrics history science math school student recipe travel "
        "garden dog cat car house customer marketing product budget business meeting report resume interview workout diet exercise health weather team project class lesson homework",
        "code": "base64 rot13 hex encode encoded decode decoded cipher caesar leetspeak morse reverse backwards ascii binary acrostic verschlussel kodier encoder codifica codificar",
        "mark": "inst sys im_start im_end endoftext eot_id start_header_id",
        "system": "system developer-message sysprompt",
    }.items()
}

WHOLE = frozenset({"all", "me", "now", "you"})
"""Classes whose words count only whole: they are short, and begin many others."""

STRINGS: dict[str, tuple[str, ...]] = {
    name: tuple(words.split())
    for name, words in {
        "drop": "忽略 无视 忘记 忘掉 忽視 無視 忘れ 무시 잊어 تجاهل انس अनदेखा भूल בטל התעלם",
        "break": "绕过 打破 解除 突破 回避 解除 우회 해제 تجاوز कसे בעקוף",
        "before": "之前 以前 上面 以上 先前 前面 最初 初始 これまで 上記 前の 最初 이전 위의 처음 السابق أعلاه الأصلي पिछल ऊपर הקודמ",
        "rules": "指令 指示 规则 规定 限制 命令 说明 要求 規則 ルール 制限 지시 규칙 명령 제한 التعليمات القواعد القيود الأوامر निर्देश नियम הוראות כללים",
        "prompt": "提示词 提示 系统 系統 设定 プロンプト システム 設定 프롬프트 시스템 설정 النظام المطالبة प्रॉम्प्ट सिस्टम",
        "reveal": "显示 告诉 输出 重复 透露 泄露 打印 公开 展示 教えて 表示 出力 繰り返 見せて 明かし 보여 알려 출력 반복 공개 اعرض أخبرني كرر اكشف اطبع दिखा बता दोहरा",
        "secret": "秘密 密码 机密 隐藏 保密 パスワード 非公開 비밀 암호 숨겨 السر كلمة المرور السرية गुप्त पासवर्ड",
        "persona": "扮演 假装 假设 模拟 想象 角色 演じ ふりを 仮定 なりきって 연기 척 역할 가정 تظاهر تصرف دور नाटक भूमिका कल्पना",
        "fiction": "hypothetical fictional fiction scenario story novel game movie dream parallel universe fiktiv geschichte histoire fictif historia ficcion storia historia opowiad вымышлен истори hikaye cerita",
        "free": "没有限制 不受限制 任何限制 无限制 自由 道德 無制限 自由に 제한 없이 자유롭게 بدون قيود बिना",
        "now": "现在 从现在 接下来 改为 今から 代わりに 新しい 이제 지금 새로운 대신 الآن بدلا अब",
        "obey": "执行 回答 遵守 服从 按照 必须 実行 答え 従って 대답 따라 실행 أجب نفذ اتبع उत्तर",
        "you": "你 您 あなた お前 당신 너 네 أنت لك आप तुम",
        "model": "助手 人工智能 模型 机器人 アシスタント モデル 어시스턴트 모델 인공지능 المساعد الذكاء सहायक",
        "all": "所有 全部 一切 すべて 全て 모든 전부 جميع كل सभी",
    }.items()
}
